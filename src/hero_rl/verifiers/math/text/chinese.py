r"""Sentences in Chinese: the value or the choice that one states, and units behind a number.

>>> stated_in_chinese("所以它的面积是36平方厘米")
'36平方厘米'
"""

from __future__ import annotations

import re

__all__ = ["is_chinese", "stated_in_chinese", "with_units"]

_HAN = "\u4e00-\u9fff"
_UNITS = {
    "平方厘米": r"\text{cm}^2", "平方分米": r"\text{dm}^2", "平方米": r"\text{m}^2", "平方千米": r"\text{km}^2",
    "平方公里": r"\text{km}^2",
    "立方厘米": r"\text{cm}^3", "立方分米": r"\text{dm}^3", "立方米": r"\text{m}^3",
    "毫米": r"\text{mm}", "厘米": r"\text{cm}", "分米": r"\text{dm}", "千米": r"\text{km}", "公里": r"\text{km}",
    "米": r"\text{m}",
    "毫升": r"\text{ml}", "升": r"\text{l}", "毫克": r"\text{mg}", "千克": r"\text{kg}", "公斤": r"\text{kg}",
    "克": r"\text{g}",
    "小时": r"\text{h}", "分钟": r"\text{min}", "秒": r"\text{s}", "天": r"\text{days}", "年": r"\text{years}",
    "元": r"\text{yuan}", "度": r"^\circ",
    **dict.fromkeys("个只人种条本名棵块张辆支头件朵箱袋页次岁位颗间", r"\text{units}"),
}  # fmt: skip
_UNIT = re.compile(rf"(?<=[\d}})$%])\s*(?P<unit>{'|'.join(sorted(_UNITS, key=len, reverse=True))})(?![{_HAN}])")
_CHINESE = re.compile(f"[{_HAN}]")
_CHOICE = re.compile(r"(?<!不)(?:选择?|选项)(?:项|选项)?(?:是|为|[:：])?[(（]?([A-J])[)）]?(?:项|选项)?$")
_TAKES_BACK = re.compile(
    "不是|不为|不等于|不选|不应|不能选|不对|不正确|有误|排除|不可能|并非|错误|可能|也许|大概|或|假设|如果|除了|以外|[?？吗]|没(?=[^，；。！]*$)"
)
_CHANGES = re.compile(
    "一半|倍|平方根|立方根|大于|小于|至少|至多|最少|最多|以上|以下|不到|超过|多于|少于|的平方|倒数|之间|分之"
)
_CONCLUDES = re.compile(r"\s*(?:所以|因此|因而|故|则|即|答|得|一?共|总共|综上)")
_VALUE = re.compile(r"\$[^$\n]+\$|\\\([^\n]+?\\\)|-?\d[\d,]*(?:\.\d+)?(?:/\d+)?\s*%?")
_OPENS_VALUE = re.compile(rf"(?:^|[{_HAN}:：]|(?:^|[{_HAN}\s:：])[A-Za-z]\s*=)\s*$")
_FORMULA = re.compile(rf"(?:是|为|等于|所以|[:：])\s*(?P<formula>[^{_HAN}:：]+)$")
_BOLD = re.compile(r"(?<![A-Za-z\d*)}\]])\*\*(?=[^\s*])([^*\n]+)(?<!\s)\*\*(?![A-Za-z\d*({\\])")
_LONGEST = 400
_JUST_BEFORE = 20  # characters before the last clause that may take it back


def is_chinese(text: str) -> bool:
    """Whether a text holds Chinese besides a unit behind a number."""
    return not text.isascii() and bool(_CHINESE.search(_UNIT.sub("", text)))


def with_units(text: str) -> str:
    """The text with the Chinese units behind its numbers in the one spelling."""
    return _UNIT.sub(lambda found: " " + _UNITS[found["unit"]], text)


def stated_in_chinese(sentence: str) -> str | None:
    """The choice, or the only value of the last clause, with its unit; None where none is stated.

    Safe: a clause that denies, doubts or compares states none, nor does one of two values, or one that goes on from
    others without a word that concludes. A value that is a part of a formula is that formula.
    """
    said = sentence[-_LONGEST:].rpartition("而是")[2].rstrip("。. ")
    said = _BOLD.sub(r"\1", said)
    clause = re.split("[，；。！]", said)[-1]
    if _TAKES_BACK.search(said if clause == said else said[-len(clause) - _JUST_BEFORE :]):
        return None
    if choice := _CHOICE.search("".join(clause.split())):
        return choice[1]
    values = list(_VALUE.finditer(clause if _CONCLUDES.match(clause) else said))
    if len(values) != 1 or _CHANGES.search(clause):
        return None
    value = _VALUE.search(clause)
    if value is None:
        return None
    if not _OPENS_VALUE.search(clause, 0, value.start()):
        formula = _FORMULA.search(clause)
        return formula["formula"].strip() if formula else None
    unit = _UNIT.match(clause, value.end())
    behind = clause[unit.end() if unit else value.end() :].strip()
    return clause[value.start() : unit.end() if unit else value.end()].strip() if not behind else None
