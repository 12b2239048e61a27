from pathlib import Path

from tests.doc_blocks import Block, blocks_of

PAGE = """
Text, and `tuneloop check` in it.

    make data        # a command
    tuneloop export \\
        --to out

    ingest  9 in  9 kept

Output alone is no command:

    ingest  9 in  9 kept

<!-- not run: needs a GPU -->

    accelerate launch x

<!-- here: 9f3c = ls data/runs -->
<!-- with Label Studio -->
<!-- exit: 4 -->

    tuneloop explain 9f3c

1. In a list:

   <!-- setup:
   python -c "
   if True:
       print(1)
   "
   -->

       tuneloop check

```toml
tuneloop = "is no command here"
```

```sh
python - <<'EOF'
one
two
EOF
```
"""


def test_a_page_is_read_with_its_invisible_comments(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    found = blocks_of(page)
    assert [block.line for block in found] == [4, 16, 18, 22, 26, 33, 40]
    assert found[1] == Block(16, "accelerate launch x", why_not="needs a GPU")
    assert found[2] == Block(18, "ls data/runs", hidden=True, here="9f3c")
    assert found[3] == Block(22, "tuneloop explain 9f3c", needs_server=True, exit_code=4)
    assert found[4].script == 'python -c "\nif True:\n    print(1)\n"'
    assert [len(block.commands) for block in found if not block.hidden] == [3, 1, 1, 1, 1]


def test_a_setup_before_a_block_that_needs_a_server_has_it_too(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- with Label Studio -->\n<!-- setup: tuneloop annotate push -->\n\n    tuneloop annotate pull\n"
    )
    assert [(block.hidden, block.needs_server) for block in blocks_of(page)] == [(True, True), (False, True)]


def test_what_stands_before_a_block_holds_for_it_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- not run: slow -->\n\n    make test\n\nand\n\n    make data\n")
    assert [block.why_not for block in blocks_of(page)] == ["slow", ""]
