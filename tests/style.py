"""Find breaches of the writing guide in the repository's code and papers.

`tests/unit/test_style.py` asserts that there are none. `python -m tests.style` lists them.
"""

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
MOST_WORDS, MOST_LINES, MOST_MODULE_LINES, MOST_README_WORDS = 25, 60, 450, 800

GENERATED = ("deploy/asyncapi/", "deploy/grafana/dashboards/", "deploy/prometheus/tests/")
LONG_MODULES = {"deploy/grafana/build.py"}
"""tables of prose that are read from top to bottom"""
GUARD = {"tests/style.py", "tests/unit/test_style.py"}
"""the only files that may hold the words they look for"""

RIDDLES = {"what", "whether", "who", "whoever", "whom", "whose", "how", "of", "when"}
"""first words that leave the reader to guess what the text is about"""
NOT_IMPERATIVE = {
    "a", "all", "an", "and", "any", "as", "at", "both", "but", "by", "each", "either", "every", "everything",
    "for", "from", "if", "in", "it", "its", "no", "nobody", "none", "nothing", "on", "one", "only", "so",
    "some", "such", "that", "the", "their", "these", "they", "this", "those", "to", "where", "which", "with",
    "without",
    "adds", "applies", "asks", "builds", "calls", "checks", "closes", "counts", "creates", "decides", "does",
    "ends", "finds", "gives", "goes", "has", "holds", "is", "keeps", "leaves", "looks", "makes", "opens",
    "prints", "puts", "raises", "reads", "refuses", "removes", "returns", "runs", "says", "sends", "sets",
    "shows", "starts", "stops", "takes", "tells", "turns", "waits", "writes", "yields",
}  # fmt: skip
"""first words with which a function's docstring is no instruction"""

RETIRED = {
    name: re.compile(pattern, re.IGNORECASE)
    for name, pattern in {
        "worked off": r"\bwork(s|ed|ing)? off\b",
        "mark of UTF-8": r"\bmark of utf-?8\b",
        "onlooker": r"onlooker",
        "vitals": r"vitals",
        "whoever": r"\bwho(m)?ever\b",
        "told": r"(?<![a-z])told(?![a-z])",
        "tally": r"(?<![a-z])tall(y|ies)(?![a-z])",
        "flaw": r"(?<![a-z])flaw(s|ed)?(?![a-z])",
        "mend": r"(?<![a-z])mend(s|ed|ing)?(?![a-z])",
        "side by side": r"side.by.side",
        "silence": r"(?<![a-z\"])silen(ce|t)(?![a-z\"])",
        "beat": r"(?<![a-z])beats?(?![a-z])",
        "place": r"\bplace of (a|the) (post|partition|record|word|quote)s?\b|(?-i:\bPlace\b)|\bplaces\b",
        "what passes": r"\bwhat (passes|does not pass)\b",
        "the board": r"\b(enter|leave)(s|ed)? the board\b",
        "spread": r"(?<![a-z])spread(s)?\(|\bSpread\b",
        "stands": r"\bthat stands\b|\bas (it|they) stands?\b|\bstands for good\b",
    }.items()
}
"""words of the glossary's left column"""


@dataclass(frozen=True, slots=True)
class Breach:
    """A passage that breaks a rule."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


@dataclass(frozen=True, slots=True)
class Text:
    """A docstring, a help text, a comment or a paragraph, with where it begins."""

    path: str
    line: int
    text: str
    function: bool = False
    """true for the docstring of a function, which must be an instruction"""


@cache
def files() -> tuple[str, ...]:
    """Return the paths of all files under version control, and of new ones that are not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return tuple(name for name in listed.stdout.splitlines() if (ROOT / name).is_file())


@cache
def read(path: str) -> str:
    """Return the text of a file."""
    return (ROOT / path).read_text(encoding="utf-8")


@cache
def tree(path: str) -> ast.Module:
    """Return the syntax tree of a module."""
    return ast.parse(read(path))


def modules() -> list[str]:
    """Return the paths of all Python modules."""
    return [name for name in files() if name.endswith(".py") and not name.startswith(GENERATED)]


def papers() -> list[str]:
    """Return the paths of all Markdown files."""
    return [name for name in files() if name.endswith(".md") and not name.startswith(GENERATED)]


@cache
def docstrings(path: str) -> tuple[Text, ...]:
    """Return the docstrings of a module, those of attributes too."""
    return tuple(_docstrings(path))


def _docstrings(path: str) -> Iterator[Text]:
    for node in ast.walk(tree(path)):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        for number, statement in enumerate(body):
            if not (
                isinstance(statement, ast.Expr)
                and isinstance(statement.value, ast.Constant)
                and isinstance(statement.value.value, str)
            ):
                continue
            if number == 0 or isinstance(body[number - 1], ast.Assign | ast.AnnAssign):
                function = number == 0 and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                yield Text(
                    path,
                    statement.lineno,
                    statement.value.value,
                    function and not _describes(node),  # type: ignore[arg-type]
                )


def _describes(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return whether a function's docstring may be a noun or a sentence about behaviour."""
    names = {ast.unparse(decorator).partition("(")[0].rpartition(".")[2] for decorator in node.decorator_list}
    return node.name.startswith("test_") or bool(names & {"property", "cached_property", "fixture", "setter"})


def help_texts(path: str) -> Iterator[Text]:
    """Yield the `help=` strings of a module."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                value = keyword.value
                if keyword.arg == "help" and isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield Text(path, value.lineno, value.value)


def paragraphs(path: str) -> Iterator[Text]:
    """Yield the paragraphs, items and table cells of a Markdown file, code left out."""
    fenced, block, begun = False, [], 0  # type: bool, list[str], int
    for number, line in enumerate([*_released_left_out(path), ""], 1):
        bare = line.strip()
        if bare.startswith(("```", "~~~")):
            fenced = not fenced
            bare = ""
        elif fenced:
            continue
        starts = bare.startswith(("|", "#", ">", "<")) or re.match(r"([-*+]|\d+\.) ", bare)
        if block and (not bare or starts):
            yield Text(path, begun, "\n".join(block))
            block = []
        if bare.startswith("|"):
            for cell in bare.strip("|").split("|"):
                yield Text(path, number, cell.strip())
        elif bare:
            begun = begun if block else number
            block.append(bare.lstrip("#>-*+ "))


def _released_left_out(path: str) -> list[str]:
    """Return the lines of a file; of the changelog only those of what is not released."""
    lines = read(path).splitlines()
    if path == "CHANGELOG.md":
        released = [n for n, line in enumerate(lines) if re.match(r"## \[?\d", line)]
        return lines[: released[0]] if released else lines
    return lines


def sentences(text: Text) -> Iterator[tuple[int, str]]:
    """Yield the sentences of a text, each with its line; code and addresses count as one word."""
    offset = 0
    plain = re.sub(r"`[^`]*`", lambda found: "`" + "\n" * found.group().count("\n") + "`", text.text)
    plain = re.sub(r"\]\([^)]*\)|https?://\S+", "]", plain)
    for sentence in re.split(r"(?<=[.!?:])[\"')*]*\s|\n\s*\n|\n\s*(?=[-*+] |\d+\. |[A-Z]\w+: )", plain):
        begins = plain.find(sentence, offset)
        offset = begins + len(sentence)
        yield text.line + plain.count("\n", 0, begins), " ".join(sentence.split())


def words(sentence: str) -> int:
    """Count the words of a sentence: what holds a letter, a digit or code."""
    return sum(1 for word in sentence.split() if re.search(r"[\w`]", word))


# --- the rules


def riddles() -> list[Breach]:
    """Find docstrings that open with a word that leaves their subject open."""
    return [
        Breach(text.path, text.line, _start(text.text))
        for path in modules()
        for text in docstrings(path)
        if _first_word(text.text) in RIDDLES
    ]


def descriptions() -> list[Breach]:
    """Find docstrings of functions that describe where they should instruct."""
    return [
        Breach(text.path, text.line, _start(text.text))
        for path in modules()
        for text in docstrings(path)
        if text.function and _first_word(text.text) in NOT_IMPERATIVE
    ]


def long_sentences() -> list[Breach]:
    """Find sentences of more than `MOST_WORDS` words in docstrings, help texts and papers."""
    texts = [text for path in modules() for text in (*docstrings(path), *help_texts(path))]
    texts += [text for path in papers() for text in paragraphs(path)]
    return [
        Breach(text.path, line, f"{words(sentence)} words: {sentence[:90]} …")
        for text in texts
        for line, sentence in sentences(text)
        if words(sentence) > MOST_WORDS
    ]


def retired_words() -> list[Breach]:
    """Find words of the glossary that have a standard one."""
    found = []
    for path in files():
        if path in GUARD or path.startswith(GENERATED):
            continue
        for number, line in _prose(path):
            found += [Breach(path, number, name) for name, word in RETIRED.items() if word.search(line)]
    return found


def _prose(path: str) -> Iterator[tuple[int, str]]:
    """Yield the numbered lines of a file that are ours to word: no posts, no generated text."""
    if path.endswith(".md"):
        yield from enumerate(_released_left_out(path), 1)
    elif path.endswith(
        (".j2", ".html", ".yml", ".yaml", ".sql", ".css", ".js", ".jsx", "Makefile", "Dockerfile", "run")
    ):
        yield from enumerate(read(path).splitlines(), 1)
    elif path.endswith(".toml"):
        yield from ((n, line) for n, line in enumerate(read(path).splitlines(), 1) if line.startswith("#"))
    elif path.endswith(".py"):
        # Strings hold posts in tests and in the pipeline; elsewhere they are what users read.
        quoted = path.startswith(("tests/", "nlp/"))
        yield from ((text.line, text.text) for text in docstrings(path)) if quoted else ()
        for token in tokenize.generate_tokens(io.StringIO(read(path)).readline):
            if token.type in {tokenize.NAME, tokenize.COMMENT}:
                yield token.start[0], re.sub(r"_|(?<=[a-z])(?=[A-Z])", " ", token.string)
            elif token.type == tokenize.STRING and not quoted:
                yield from enumerate(token.string.splitlines(), token.start[0])


def long_functions() -> list[Breach]:
    """Find functions of more than `MOST_LINES` lines."""
    return [
        Breach(path, node.lineno, f"{node.name} has {lines} lines")
        for path in modules()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > MOST_LINES
    ]


def long_modules() -> list[Breach]:
    """Find modules of more than `MOST_MODULE_LINES` lines."""
    return [
        Breach(path, 1, f"{lines} lines")
        for path in modules()
        if path not in LONG_MODULES and (lines := len(read(path).splitlines())) > MOST_MODULE_LINES
    ]


RULES = {
    rule.__name__: rule
    for rule in (riddles, descriptions, long_sentences, retired_words, long_functions, long_modules)
}


def _first_word(text: str) -> str:
    found = re.match(r"\W*(\w+)", text)
    return found.group(1).lower() if found else ""


def _start(text: str) -> str:
    return text.strip().partition("\n")[0][:90]


def main() -> None:
    """Print all breaches, or those of the rules that are named, and a table by folder."""
    chosen = [name for name in sys.argv[1:] if name in RULES] or list(RULES)
    prefix = next((name for name in sys.argv[1:] if name not in RULES), "")
    for name in chosen:
        found = [breach for breach in RULES[name]() if breach.path.startswith(prefix)]
        for breach in found:
            sys.stdout.write(f"{breach}\n")
        rooms: dict[str, int] = {}
        for breach in found:
            room = "/".join(breach.path.split("/")[:-1][:2]) or breach.path
            rooms[room] = rooms.get(room, 0) + 1
        sys.stdout.write(f"== {name}: {len(found)} {rooms}\n")


if __name__ == "__main__":
    main()
