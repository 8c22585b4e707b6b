"""Take the guards of the security matrix away, one by one, and show which test sees that each is gone.

python tests/torture/security_mutants.py [--only WORD]

Planted as in planted_bugs.py: the checkout is never touched, and a guard that nobody misses is a failure.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from planted_bugs import Bug, plant_all

_SECURITY = "tests/security"


def _seen_by(file: str, words: str) -> tuple[str, ...]:
    return f"{_SECURITY}/{file}", "-k", words


MUTANTS = (
    Bug(
        "autoescape off",
        "reporting/sheet_page.py",
        (("Environment(autoescape=True, ", "Environment(autoescape=False, "),),
        _seen_by("test_s35_s38_outputs.py", "s35"),
    ),
    Bug(
        "redirects on",
        "providers/wire.py",
        (
            (
                "        return self._without_secrets(self._polls.get(url, headers=self._headers(verdict)), ())\n",
                "        answer = self._polls.get(url, headers=self._headers(verdict))\n"
                "        target = _redirect_of(answer)\n"
                "        if target is not None:\n"
                "            answer = self._polls.get(urljoin(url, target), headers=self._headers(verdict))\n"
                "        return self._without_secrets(answer, ())\n",
            ),
        ),
        _seen_by("test_s21_s28_hosts.py", "s25"),
    ),
    Bug(
        "host rule loosened",
        "providers/hosts.py",
        (('api_hosts=re.compile(r"api(\\.[a-z0-9-]+)?\\.bfl\\.ai"),', 'api_hosts=re.compile(r".*bfl\\.ai.*"),'),),
        _seen_by("test_s21_s28_hosts.py", "s24"),
    ),
    Bug(
        "formats= gone",
        "planning/references/decoding.py",
        (("Image.open(BytesIO(picture.content), formats=(picture.format,))", "Image.open(BytesIO(picture.content))"),),
        _seen_by("test_s11_s20_references.py", "s20"),
    ),
    Bug(
        "symlinks followed",
        "planning/files/directories.py",
        (
            ('_READ_FILE = _READ | getattr(os, "O_NOFOLLOW", 0)', "_READ_FILE = _READ"),
            ('getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)', 'getattr(os, "O_DIRECTORY", 0)'),
            ("os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)", "os.stat(name, dir_fd=self._descriptor)"),
        ),
        _seen_by("test_s11_s20_references.py", "s12"),
    ),
    Bug(
        "sandbox replaced by the plain environment",
        "planning/templates/sandbox.py",
        (
            ("from jinja2.sandbox import ImmutableSandboxedEnvironment", "from jinja2 import Environment"),
            ("class JobEnvironment(ImmutableSandboxedEnvironment):", "class JobEnvironment(Environment):"),
            ("    def getattr(self, obj: Any,", "    def our_getattr(self, obj: Any,"),
            ("    def getitem(self, obj: Any,", "    def our_getitem(self, obj: Any,"),
        ),
        _seen_by("test_s01_s04_templates.py", "s04"),
    ),
    Bug(
        "size cap of a job gone",
        "reading/yaml_text.py",
        (("    if size <= MAX_BYTES:", "    if size <= 1000 * MAX_BYTES:"),),
        _seen_by("test_s05_s10_job_files.py", "S08"),
    ),
    Bug(
        "size cap of an answer gone",
        "providers/transport.py",
        (("                if len(body) > limit:", "                if len(body) > 1000 * limit:"),),
        _seen_by("test_s42_s47_secrets.py", "s46"),
    ),
    Bug(
        "CSV unescaped",
        "reporting/csv_rows.py",
        (("""    return f"'{text}" if begins.startswith(_FORMULA) else text""", "    return text"),),
        _seen_by("test_s35_s38_outputs.py", "s38"),
    ),
    Bug(
        "terminal unescaped",
        "safe_text.py",
        (("    return _INVISIBLE.sub(_escape, text)", "    return text"),),
        _seen_by("test_s39_s41_terminals.py", "s39"),
    ),
    Bug(
        "JSON to a terminal unescaped",
        "safe_text.py",
        (("    return _INVISIBLE.sub(_as_json_escape, text)", "    return text"),),
        _seen_by("test_s39_s41_terminals.py", "s39"),
    ),
    Bug(
        "a line of a message may hold several",
        "commands/console.py",
        (
            (
                "(safe_line(part), None) if isinstance(part, str) else (safe_line(part.text), part.style)",
                "(safe(part), None) if isinstance(part, str) else (safe(part.text), part.style)",
            ),
        ),
        _seen_by("test_s39_s41_terminals.py", "s41"),
    ),
    Bug(
        "key in repr",
        "secret.py",
        (("""        return f"****{tail if tail.isalnum() else ''}\"""", "        return self.__text"),),
        _seen_by("test_s42_s47_secrets.py", "s42"),
    ),
    Bug(
        "key not taken out of what a service says",
        "providers/wire.py",
        (('    return body.replace(secret.encode("utf-8"), b"****")', "    return body"),),
        _seen_by("test_s42_s47_secrets.py", "s42"),
    ),
    Bug(
        "trust_env on",
        "providers/wire.py",
        (
            (
                "        self._proxy = None if rules.on_loopback else proxy\n",
                '        self._proxy = proxy or __import__("os").environ.get("HTTP_PROXY")\n',
            ),
        ),
        _seen_by("test_s21_s28_hosts.py", "s28"),
    ),
    Bug(
        "$ref fetched",
        "reading/validator.py",
        (("_Strict(schema, registry=Registry())", "_Strict(schema)"),),
        _seen_by("test_s48_s56_around_the_job.py", "s49"),
    ),
    Bug(
        "the peer's address is not looked at",
        "providers/hosts.py",
        (("    return ip.is_global and not ip.is_multicast", "    return True"),),
        _seen_by("test_s21_s28_hosts.py", "s21 or s22"),
    ),
    Bug(
        "a run writes through links of its directory",
        "engine/new_directory.py",
        (("        if place.is_symlink():", "        if False:"),),
        _seen_by("test_s29_s44_run_directories.py", "s29"),
    ),
    Bug(
        "a journal's own triggers run",
        "engine/journal.py",
        (("    if found != _expected():", "    if False:"),),
        _seen_by("test_s29_s44_run_directories.py", "s29"),
    ),
    Bug(
        "a journal that everybody may read",
        "private_files.py",
        (("_FOLDER, _FILE = 0o700, 0o600", "_FOLDER, _FILE = 0o777, 0o666"),),
        _seen_by("test_s29_s44_run_directories.py", "s44"),
    ),
    Bug(
        "modules of the current folder",
        "__main__.py",
        (("        del sys.path[0]\n", "        pass\n"),),
        _seen_by("test_s48_s56_around_the_job.py", "s52"),
    ),
    Bug(
        "strangers may spend",
        "commands/strangers.py",
        (("    if environ.get(_EVENT) == _STRANGERS:", "    if False:"),),
        _seen_by("test_s48_s56_around_the_job.py", "s56"),
    ),
)


if __name__ == "__main__":
    sys.exit(plant_all("security mutants", MUTANTS, about=__doc__))
