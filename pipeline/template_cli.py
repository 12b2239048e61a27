"""`tuneloop template`: make, check, look at, list and import templates.

tuneloop template new slogan --fields document --response slogan  ->  my_templates/slogan.yaml
"""

from cyclopts import App

app = App(name="template", help="Templates: how the fields of a row become a prompt and a response.")
# By import string, so that one command does not load what the others need.
for _name, _target, _help in (
    ("new", "pipeline.template_new_cli:new", "write a template of your own that already passes the checks"),
    ("check", "pipeline.template_check_cli:check", "tell all mistakes of template files, with line and cure"),
    ("preview", "pipeline.template_preview_cli:preview", "real rows rendered, here or as a page"),
    ("list", "pipeline.template_list_cli:list_templates", "every template in reach, one line each"),
    ("docs", "pipeline.template_list_cli:docs", "write docs/templates.md from the built-in templates"),
    ("import", "pipeline.template_import_cli:import_templates", "take over templates of promptsource"),
):
    app.command(_target, name=_name, help=_help)
