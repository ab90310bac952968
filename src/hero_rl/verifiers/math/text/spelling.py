r"""One spelling for what LaTeX, Unicode and habit spell in many ways, before anything is read.

Only what leaves the meaning alone is changed: sizes, spaces, fonts, synonyms of commands, signs for commands.
"""

from __future__ import annotations

import re
import unicodedata

from hero_rl.verifiers.math.text.chinese import with_units
from hero_rl.verifiers.math.text.marks import without_end_of_proof
from hero_rl.verifiers.math.text.remarks import without_remarks
from hero_rl.verifiers.math.text.rows import joined_rows

__all__ = ["gist", "key", "respell", "without_outer_braces", "words_only"]

_SIGNS = {
    "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "﹣": "-", "×": r" \times ", "⋅": r" \cdot ", "·": r" \cdot ",
    "∙": r" \cdot ",
    "÷": r" \div ", "∕": "/", "⁄": "/", "≤": r" \le ", "⩽": r" \le ", "≥": r" \ge ", "⩾": r" \ge ", "≠": r" \ne ",
    "≈": r" \approx ",
    "∀": r" \forall ",
    "≡": r" \equiv ", "∈": r" \in ", "∪": r" \cup ", "∩": r" \cap ", "∖": r" \setminus ", "∅": r" \emptyset ",
    "∞": r" \infty ",
    "±": r" \pm ", "∓": r" \mp ", "√": r"\sqrt ", "∛": r"\sqrt[3]", "°": r"^\circ ", "º": r"^\circ ", "′": "'",
    "’": "'", "″": "''",
    "π": r"\pi ", "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ", "γ": r"\gamma ", "δ": r"\delta ",
    "ε": r"\epsilon ", "λ": r"\lambda ",
    "μ": r"\mu ", "ρ": r"\rho ", "σ": r"\sigma ", "τ": r"\tau ", "φ": r"\phi ", "ϕ": r"\phi ", "ψ": r"\psi ",
    "ω": r"\omega ",
    "Δ": r"\Delta ", "Ω": r"\Omega ", "ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}", "ℕ": r"\mathbb{N}", "ℚ": r"\mathbb{Q}",
    "ℂ": r"\mathbb{C}",
    "½": r"\frac{1}{2}", "⅓": r"\frac{1}{3}", "⅔": r"\frac{2}{3}", "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}",
    "⅛": r"\frac{1}{8}",
    "℃": r"^\circ C", "℉": r"^\circ F", "\u2126": r"\Omega ",
    "∠": r"\angle ", "△": r"\triangle ", "∶": ":", "⌊": r"\lfloor ", "⌋": r"\rfloor ", "⌈": r"\lceil ",
    "⌉": r"\rceil ", "∣": r"\mid ", "⟨": r"\langle ", "⟩": r"\rangle ",
    "€": r"\text{euro}", "£": r"\text{pound}", "¢": r"\text{cent}", "₹": r"\text{rupee}", "“": '"', "”": '"',
    "…": r"\ldots ",
}  # fmt: skip
_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ"
_SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉ₙₖ"
_RAISED = re.compile(f"[{_SUPERSCRIPTS}]+")
_LOWERED = re.compile(f"[{_SUBSCRIPTS}]+")
_PLAIN = str.maketrans(_SUPERSCRIPTS + _SUBSCRIPTS, "0123456789+-n0123456789nk")
_SIGN_TABLE = str.maketrans(_SIGNS)

_SYNONYMS = {
    "dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "dbinom": "binom", "tbinom": "binom", "leq": "le",
    "leqslant": "le", "leqq": "le",
    "geq": "ge", "geqslant": "ge", "geqq": "ge", "neq": "ne", "lt": "<", "gt": ">", "lbrace": "{", "rbrace": "}",
    "lvert": "|", "rvert": "|",
    "vert": "|", "lbrack": "[", "rbrack": "]", "varnothing": "emptyset", "varphi": "phi", "varepsilon": "epsilon",
    "vartheta": "theta",
    "backslash": "setminus", "smallsetminus": "setminus", "land": "wedge", "lnot": "neg", "lor": "vee", "colon": ":",
    "degree": "circ", "ast": "*",
    "arctg": "arctan", "tg": "tan", "ctg": "cot", "cosec": "csc", "sh": "sinh", "ch": "cosh", "th": "tanh",
    "dots": "ldots", "cdots": "ldots", "dotsc": "ldots", "dotsb": "ldots",
}  # fmt: skip
_SIZES = {
    "left", "right", "big", "Big", "bigg", "Bigg", "bigl", "bigr", "Bigl", "Bigr", "biggl", "biggr", "Biggl", "Biggr",
    "middle",
    "displaystyle", "textstyle", "scriptstyle", "limits", "nolimits", "rm", "bf", "it", "boldsymbol", "bold",
    "mathbf", "mathit",
    "mathcal", "mathfrak", "mathscr", "underline", "nonumber",
    "boxed", "fbox", "ensuremath", "large", "Large", "LARGE", "huge", "Huge", "small", "tiny", "normalsize", "bm",
}  # fmt: skip
_KEEP_AS_MARK = {"overline", "bar", "hat", "widehat", "tilde", "overrightarrow", "vec"}
_SPACES = {"quad", "qquad", "hspace", "enspace", "thinspace", "medspace", "space", "nobreakspace", "newline", "par"}

# Written twice, a backslash before one of these is an escape too many and no line break.
_ESCAPED_TWICE = re.compile(
    r"(?<!\\)\\\\(?=(?:frac|dfrac|tfrac|left|right|sqrt|leq?|geq?|neq?|text|pi|cup|cap|in|infty|boxed|circ|cdot|times|pm|mathbb|"
    r"begin|end|log|ln|sin|cos|tan|theta|alpha|beta|lambda|quad)(?![a-z]))"
)
_COMMAND = re.compile(r"\\([A-Za-z]+)\*?")
_RINGED = re.compile(r"\\mathring\s*(?:\{\s*(?:\\(?:text|mathrm)\s*\{)?\s*([CF])\s*\}{1,2}|([CF]))")
_BLACKBOARD = re.compile(r"\\mathbb\s+([A-Z])(?![A-Za-z])")
_FONT_OF_CAPITAL = re.compile(r"\\math(?:bf|cal|frak|scr|it)\s*\{\s*([A-Z])\s*\}")
_CODE = {
    "abs": r"\operatorname{abs}(", "cbrt": r"\sqrt[3](", "log2": r"\log_{2}(", "log10": r"\log_{10}(",
    "Matrix": "(", "sympy.Matrix": "(", "np.array": "(", "math.sqrt": r"\sqrt(",
}  # fmt: skip
_IN_CODE = re.compile(r"(?<![A-Za-z\\{.])(abs|cbrt|log2|log10|(?:sympy\.)?Matrix|np\.array|math\.sqrt)\(")
_TAG = re.compile(r"\\tag\*?\s*\{[^{}]*\}")
_GLUED_SPACE = re.compile(r"\\(q?quad)(?=[A-Za-z])")
_THIN_SPACES = re.compile(r"(?<!\\)\\(?:[,;:> ]|$)|~")
_EXPLICIT_THOUSANDS = re.compile(r"(?<=\d)\s*(?:\{\s*,\s*\}|,\s*\\!|\\!,|\\,|\\!)\s*(?=\d{3}(?!\d))")
_STRAY_POINT = re.compile(r"(?<=[\w}])[.,]\s*([)\]])")
_TIMES_TEN = re.compile(r"(?<=\d)\s+[xX]\s*(?=10\s*\^)")
_ROW_SPACING = re.compile(r"\\\\\s*\[-?[\d.]+\s*(?:pt|em|ex|mm|cm)\]|\\cr\b")
_ORDINAL = re.compile(r"(?<=\d)\s*(?:\^?\{?\\(?:text|mathrm|textrm)\{\s*)?(?:st|nd|rd|th)\b(?:\s*\})*")
_DOLLARS = re.compile(r"(?<!\\)(?:\$|\\[()\[\]])")
_COLOUR = re.compile(r"\\(?:text)?color\s*\{[^{}]*\}")
_EMPTY_BASE = re.compile(r"(?:(?<=[\s\d.])|^)\{\s*\}(?=\s*[\^_])")
_LEADING = re.compile(r"^(?:(?:\\(?:therefore|because|implies|Rightarrow|Longrightarrow)(?![A-Za-z])|=(?![=>]))\s*)+")
_ABBREVIATION = re.compile(
    r"\b(sq|cu|ft|in|yd|mi|hr|hrs|min|mins|sec|secs|lb|lbs|oz|gal|approx)\.(?!\w)", re.IGNORECASE
)
_HYPHENATED = re.compile(
    r"\b(twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|one|two|three|four|five|six|seven|eight|nine)"
    r"-(?=(?:one|two|three|four|five|six|seven|eight|nine|first|second|half|halves|quarters?|(?:thi|fou|fif|six|seve|eigh|nin|ten)\w{0,3}ths?|thirds?)\b)",
    re.IGNORECASE,
)
# The French write an open end as a bracket that turns away: ]0; 1] is (0, 1].
_FRENCH_INTERVAL = re.compile(
    r"(?:(?<![\w)}\]])(?P<open>\])|(?<!\\)\[)(?P<ends>[^\[\](){}]{1,60}?[;,][^\[\](){}]{1,60}?)"
    r"(?:(?<!\\)(?P<close>\[)(?=\s*(?:$|[,;.)]|\\c[ua]p|\\setminus|and\b|or\b))|\])"
)
_TRAILING = re.compile(r"(?<!\.)\.$|[,;: ]+$|(?<!\.)\.[,;: ]*$")
_BOLD = re.compile(r"^\*\*([^*]+)\*\*$")
_SPACE_RUN = re.compile(r"\s+")


def without_outer_braces(text: str) -> str:
    """The text without braces around all of it, in linear time however many there are."""
    text = text.strip()
    opened = len(text) - len(text.lstrip("{"))
    closed = len(text) - len(text.rstrip("}"))
    inside = text[opened : len(text) - closed]
    if opened and opened == closed and "{" not in inside and "}" not in inside and not inside.endswith("\\"):
        return inside
    return text


def respell(text: str) -> str:
    """The text in the one spelling: formula marks, sizes and fonts go, words in text commands stay marked."""
    text = without_outer_braces(text)
    text = _without_invisible(_ESCAPED_TWICE.sub(r"\\", text))
    text = _TAG.sub("", joined_rows(_with_open_ends(text))) if "\\" in text else text
    text = _MODULUS.sub(_modulus, text) if "mod" in text and _CONGRUENT.search(text) else text
    text = _IN_CODE.sub(lambda call: _CODE[call[1]], text) if "(" in text else text
    text = _unit_vectors(text if text.isascii() else with_units(text))
    if not text.isascii() or _MAY_BE_PRICED.search(text):
        text = _PRICED.sub(_priced, text)
    text = _prefixed_units(_CHOICES.sub(_choices, text) if "{}" in text else text)
    text = _RAISED.sub(lambda raised: "^{" + raised.group().translate(_PLAIN) + "}", text)
    text = _LOWERED.sub(lambda lowered: "_{" + lowered.group().translate(_PLAIN) + "}", text)
    text = unicodedata.normalize("NFKC", text.translate(_SIGN_TABLE))
    text = _EXPLICIT_THOUSANDS.sub("", text).replace(r"\!", "")
    text = _HYPHENATED.sub(r"\1 ", _ABBREVIATION.sub(r"\1", _EMPTY_BASE.sub("", _COLOUR.sub(" ", text))))
    text = _ROW_SPACING.sub(r"\\\\", text.replace(r"\text{\$}", r"\$"))
    text = _TIMES_TEN.sub(r" \\times ", _ORDINAL.sub(" ", _money(text)))
    text = _RINGED.sub(r"^\\circ \1\2", text)  # a ring above C or F is the sign of degrees
    text = _THIN_SPACES.sub(" ", _DOLLARS.sub(" ", _GLUED_SPACE.sub(r"\\\1 ", text)))
    text = _FONT_OF_CAPITAL.sub(r" \1", text) if "\\math" in text else text
    text = _STRAY_POINT.sub(r"\1", _COMMAND.sub(_synonym, _BLACKBOARD.sub(r"\\mathbb{\1}", text)))
    text = without_end_of_proof(_LEADING.sub("", _SPACE_RUN.sub(" ", text).strip()))
    text = _TRAILING.sub("", without_remarks(text))
    if "[" in text or "]" in text:
        text = _FRENCH_INTERVAL.sub(_english_interval, text)
    return _balanced(_BOLD.sub(r"\1", text))


# MathPix writes a system, or a value by cases, with one brace and a delimiter that is not seen.
_ONE_BRACE = re.compile(
    r"\\left\s*\\(?:\{|lbrace)\s*\\begin\s*\{(?P<name>array|aligned|align\*?|gathered|matrix)\}\s*(?:\{[lcr| ]*\})?"
    r"(?P<rows>(?:[^\\]|\\(?!begin|end))*)\\end\s*\{(?P=name)\}\s*\\right\s*\."
)
_BAR_OF_SET = re.compile(r"\\left\s*(?:\\l?vert(?![A-Za-z])|\|)(?P<inside>[^|]*?)\\right\s*\.")
_UNSEEN = re.compile(r"\\(?:left|right)\s*\.")
_ALIGNED_SIGN = re.compile(r"&\s*(?=[=<>]|\\(?:[lg]eq?(?:slant)?|approx|neq?)(?![A-Za-z]))")
_RELATES = re.compile(r"[=<>]|\\(?:[lg]eq?(?:slant)?|ne|in)(?![A-Za-z])|\\text")


def _with_open_ends(text: str) -> str:
    """Delimiters that are not seen, in the spelling of those that need none: cases, and the bar of a set."""
    if "." not in text or not _UNSEEN.search(text):
        return text
    text = _ONE_BRACE.sub(lambda system: rf"\begin{{cases}}{_rows_of_cases(system['rows'])}\end{{cases}}", text)
    return _UNSEEN.sub(" ", _BAR_OF_SET.sub(r"\\mid \g<inside>", text))


def _rows_of_cases(rows: str) -> str:
    """Rows of equations as they stand; of values, the first comma parts one from its condition."""
    written = [_ALIGNED_SIGN.sub("", row) for row in rows.split(r"\\")]
    for at, row in enumerate(written):
        value, comma, condition = row.partition(",")
        if comma and "&" not in row and not _RELATES.search(value) and _RELATES.search(condition):
            written[at] = f"{value} & {condition}"
    return r"\\".join(written)


_CONGRUENT = re.compile(r"≡|\\equiv(?![A-Za-z])")
_MODULUS = re.compile(
    r"\(?\s*\\(?:text|textrm|mathrm|operatorname|mbox|rm)\s*\{\s*\(?\s*mod(?:ulo)?\s*"
    r"(?:(?P<inside>\w{1,6})\s*\)?\s*\}|\}\s*(?:\\[ ,;:!])?\s*(?P<behind>\w{1,6}))\s*\)?"
    r"|\(\s*mod(?:ulo)?\s+(?P<plain>\w{1,6})\s*\)"
)


def _modulus(match: re.Match[str]) -> str:
    return rf" \pmod{{{match['inside'] or match['behind'] or match['plain']}}}"


_BOLD_AXIS = re.compile(r"\\(?:mathbf|boldsymbol|bm)\s*\{\s*([ijk])\s*\}")


def _unit_vectors(text: str) -> str:
    """Bold i, j and k as marked letters where j or k is bold, so that i is no imaginary unit."""
    axes = set(_BOLD_AXIS.findall(text)) if "\\b" in text or "\\mathbf" in text else set()
    return _BOLD_AXIS.sub(r"\\vec{\1}", text) if axes & {"j", "k"} else text


_WORD_COMMAND = r"\\(?:text|mathrm|textrm|mbox|rm)\s*\{\s*"
_OHMS = re.compile(
    rf"{_WORD_COMMAND}(?P<a>[kMm])\s*\}}\s*(?:\\Omega|Ω)(?![A-Za-z])|{_WORD_COMMAND}(?P<b>[kMm])\s*(?:\\Omega|Ω)\s*\}}"
    r"|(?<=[\d }~,])(?P<c>[kM])\s*(?:\\Omega|Ω)(?![A-Za-z])"
)
_MICRO = re.compile(
    rf"(?:(?:\\mu(?![A-Za-z])|[μµ])\s*{_WORD_COMMAND}|{_WORD_COMMAND}(?:\\mu(?![A-Za-z])|[μµ])\s*)(?P<unit>mol|Pa|[mgslLAVFCHTWJN])\s*\}}"
)


_CHOICES = re.compile(
    r"\{\s*\}\s*[_^]\s*(?:\{\s*(?P<n>\w{1,9})\s*\}|(?P<m>\w))\s*(?:\\(?:mathrm|text)\s*\{\s*(?P<a>[CP])\s*\}|(?P<b>[CP]))"
    r"\s*_\s*(?:\{\s*(?P<k>\w{1,9})\s*\}|(?P<l>\w))"
)


def _choices(match: re.Match[str]) -> str:
    r"""`{}_{10}C_3` as the binomial coefficient that it is, `{}_{10}P_3` as P(10, 3)."""
    above, below = match["n"] or match["m"], match["k"] or match["l"]
    is_binomial = "C" in (match["a"], match["b"])
    return rf"\binom{{{above}}}{{{below}}}" if is_binomial else f"P({above},{below})"


def _prefixed_units(text: str) -> str:
    r"""Ohms and micro-units with their prefix as words: `\text{k}\Omega`, `\mu\text{F}`."""
    if "Omega" in text or "Ω" in text:
        text = _OHMS.sub(lambda ohm: rf" \text{{{ohm['a'] or ohm['b'] or ohm['c']}ohm}}", text)
    if "mu" in text or "μ" in text or "µ" in text:
        text = _MICRO.sub(r" \\text{u\g<unit>}", text)
    return text


def _english_interval(match: re.Match[str]) -> str:
    opening, closing = "(" if match["open"] else "[", ")" if match["close"] else "]"
    return f"{opening}{match['ends']}{closing}"


def _balanced(text: str) -> str:
    """Without braces at the ends that have no partner, as a cut-out formula has them."""
    plain = re.sub(r"\\[{}]", "", text)
    surplus = plain.count("{") - plain.count("}")
    if surplus > 0 and text.startswith("{" * surplus):
        return text[surplus:].strip()
    if surplus < 0 and text.endswith("}" * -surplus):
        return text[:surplus].strip()
    return text


def _without_invisible(text: str) -> str:
    """With every white space a space, and without marks that do not show (direction, joiners)."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        " " if character.isspace() else character
        for character in text
        if character.isspace() or unicodedata.category(character) != "Cf"
    )


_SCALE = r"((?:\s*(?:\\text\s*\{\s*)?\b(?:thousand|million|billion|trillion)\b(?:\s*\})?)?)"
_AMOUNT = re.compile(rf"\\\$\s*(?:\\,\s*)?(-?[\d.,]*\d){_SCALE}")
_CURRENCIES = {
    "€": "euro",
    "\\euro": "euro",
    "EUR": "euro",
    "£": "pound",
    "\\pounds": "pound",
    "GBP": "pound",
    "₹": "rupee",
    "Rs": "rupee",
    "Rs.": "rupee",
    "INR": "rupee",
    "¥": "yen",
    "\\yen": "yen",
    "JPY": "yen",
    "USD": "dollar",
    "\\textdollar": "dollar",
}
_PRICED = re.compile(
    rf"(?P<sign>[€£₹¥]|\\(?:euro|pounds|yen|textdollar)(?![A-Za-z])|(?<![A-Za-z])(?:EUR|GBP|INR|JPY|USD|Rs\.?))[\s~]*(?P<amount>\d[\d.,]*(?<![.,])){_SCALE}"
)


_MAY_BE_PRICED = re.compile(r"Rs|USD|EUR|GBP|INR|JPY|pounds|euro|yen|textdollar")


def _priced(match: re.Match[str]) -> str:
    """An amount with its currency behind it, as it is spoken."""
    return rf" {match['amount']} {match[3]} \text{{{_CURRENCIES[match['sign']]}}} "


def _money(text: str) -> str:
    r"""An escaped dollar, or a lone one before or after an amount, is a unit."""
    if text.count("$") - text.count(r"\$") == 1:
        text = re.sub(r"^\s*\$\s*(?=[\d.])", r"\\$", text)
        text = re.sub(r"(?<=\d)\s*\$\s*$", r"\\$", text)
    amount = _AMOUNT.sub(r" \1 \2 \\text{dollar} ", text)
    return amount.replace(r"\$", r" \text{dollar} ")


def _synonym(match: re.Match[str]) -> str:
    name = match[1]
    if name == "Pr":
        return "P"
    if name in _SPACES:
        return " "
    if name in _KEEP_AS_MARK:
        return match.group()
    if name in _SIZES:
        return " "
    other = _SYNONYMS.get(name, name)
    if not other.isalpha():
        return {"{": r"\{", "}": r"\}", "|": "|"}.get(other, f" {other} ")
    return "\\" + other


_ONE_IN_BRACES = re.compile(r"\{(\w)\}(?!\w)")
_MARKED_WORDS = re.compile(r"\\(?:text|mathrm|textbf|mbox)\s*\{([^{}]*)\}")
_IDLE_SPACE = re.compile(r"(?<!\w)\s+|\s+(?!\w)")


def key(text: str) -> str:
    r"""A fingerprint of a respelled text that ignores idle spaces, braces around one character and marks of words.

    Two texts of one key are the same formula. A space between two letters or digits stays, since `2 2` is not `22`.
    """
    return _IDLE_SPACE.sub("", _MARKED_WORDS.sub(r"\1", _ONE_IN_BRACES.sub(r"\1", text)))


_NOT_WORDS = re.compile(r"[^\w+\-*/=<>^.]+")
_ARTICLES = {"the", "a", "an"}


def words_only(text: str, fold: bool = True) -> str:
    """Words with one space between, in lower case if `fold`, without marks, articles and commands."""
    text = re.sub(r"\\(?:text|mathrm|textbf|textit|mbox|textrm|textnormal)\b", " ", text)
    words = _NOT_WORDS.sub(" ", text).split()
    kept = [word for at, word in enumerate(words) if not _is_article(word, at, len(words))]
    return " ".join((word.casefold() if fold else word).rstrip(".") for word in kept)


def _is_article(word: str, at: int, count: int) -> bool:
    """Whether a word is one, rather than a name: vitamin A, car A wins."""
    if word.casefold() != "a":
        return word.casefold() in _ARTICLES
    return not at or (at < count - 1 and word == "a")


_HAS = re.compile(
    r"(?:(?:this |given )?(?:equation|inequality|system|system of (?:linear |two )?equations|problem|it) has"
    r"|there (?:is|are|exists?)) (?=(?:no|infinitely) )"
)
_JUDGES = re.compile(
    r"(?:this |given |above )?(?:statement|claim|assertion|proposition|conjecture|answer|it|that) is (?P<a>true|false)"
    r"|(?P<b>yes) (?:it|they) (?:is|are|does|do|can|has)|(?P<c>no) (?:it|they) (?:(?:is|are|does|do|has) not|cannot)"
)


_SUBJECT = (
    "it|this|answer|shape|figure|function|triangle|quadrilateral|curve|graph|sequence|series|number|set|relation|matrix"
)
_IS = re.compile(rf"(?:{_SUBJECT}) is (?!(?:not|no|never)\b)(?=[a-z])")
_WINS = re.compile(r" (?:wins|will win|(?:is|will be) winner|(?:has|always has) winning strategy|wins game)$")
_LONGEST_SENTENCE = 200


def gist(words: str) -> str:
    """What a sentence of `words_only` says of the thing asked about: "equation has no solution" is "no solution".

    Safe: only a subject that stands for what is asked, with its verb, goes; what is said of it stays word by word.
    """
    if judged := _JUDGES.fullmatch(words):
        return judged["a"] or judged["b"] or judged["c"]
    if len(words) > _LONGEST_SENTENCE:
        return words
    found = _IS.sub("", _HAS.sub("", words, count=1), count=1)
    found = _WINS.sub("", found) or found
    return re.sub(r" exists?$", "", found) if found.startswith("no ") else found
