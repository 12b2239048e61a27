"""Licences of text and data by their SPDX names, those that are met in practice.

"apache 2.0"  ->  not known; nearest "Apache-2.0"
"""

SPDX = frozenset(
    {"0BSD", "AFL-3.0", "AGPL-3.0-only", "AGPL-3.0-or-later", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0"}
    | {"CC-BY-3.0", "CC-BY-4.0", "CC-BY-NC-3.0", "CC-BY-NC-4.0", "CC-BY-NC-ND-4.0", "CC-BY-NC-SA-3.0"}
    | {"CC-BY-NC-SA-4.0", "CC-BY-ND-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC0-1.0", "CDLA-Permissive-1.0"}
    | {"CDLA-Permissive-2.0", "CDLA-Sharing-1.0", "EUPL-1.2", "GFDL-1.3-or-later", "GPL-2.0-only", "GPL-2.0-or-later"}
    | {"GPL-3.0-only", "GPL-3.0-or-later", "ISC", "LGPL-2.1-only", "LGPL-3.0-only", "LGPL-3.0-or-later", "MIT"}
    | {"MIT-0", "MPL-2.0", "ODbL-1.0", "ODC-By-1.0", "OGL-UK-3.0", "PDDL-1.0", "Unlicense", "WTFPL", "Zlib"}
)


def is_known(licence: str) -> bool:
    """Whether it is one of these, several of them joined by AND or OR, or a reference of one's own."""
    parts = licence.replace("(", " ").replace(")", " ").replace(" AND ", " OR ").split(" OR ")
    return all(part.strip() in SPDX or part.strip().startswith("LicenseRef-") for part in parts)
