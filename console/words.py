"""The words of a page in one language: the table of texts, the plant's own titles, names of states and findings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from console.figures import unit
from console.texts import CODES, EVIDENCE, TEXTS
from plant.model import SITE, Plant, Text

LANGUAGES = ("en", "zh")


def language(asked: str | None, accepted: str | None = None) -> str:
    """The language asked for, else the one that the browser prefers, else English.

    >>> language("zh"), language(None, "zh-CN,zh;q=0.9,en;q=0.8"), language("fr", None)
    ('zh', 'zh', 'en')
    """
    if asked in LANGUAGES:
        return asked
    first = (accepted or "").split(",")[0].strip().lower()
    return "zh" if first.startswith("zh") else "en"


@dataclass(frozen=True)
class Words:
    """Looks texts up; `lang` is 'en' or 'zh'."""

    lang: str
    plant: Plant

    def __call__(self, key: str, **values: object) -> str:
        """A text of the table, with its {fields} filled in; raises KeyError for a key that is not there."""
        text = TEXTS[key][LANGUAGES.index(self.lang)]
        return text.format(**values) if values else text

    def title(self, text: Text) -> str:
        """A title of the plant description, its units printed properly."""
        words: str = text.zh if self.lang == "zh" else text.en
        return re.sub(r"\bCO2(?![A-Za-z0-9])", "CO₂", unit(words))

    def scope(self, name: str) -> str:
        """The title of the site or of a process unit."""
        if name == SITE:
            return self("whole_site")
        process_unit = self.plant.process_units.get(name)
        return self.title(process_unit.title) if process_unit else name

    def point(self, name: str) -> str:
        """The title of a point, or its name when the description does not have it."""
        point = self.plant.points.get(name)
        return self.title(point.title) if point else name

    def points(self, names: Sequence[str]) -> str:
        """The titles of points, one after another."""
        return ("、" if self.lang == "zh" else ", ").join(self.point(name) for name in names)

    def product(self, name: str) -> str:
        """The title of a product, or its name when the description does not have it."""
        product = self.plant.products.get(name)
        return self.title(product.title) if product else name

    def window(self, name: str) -> str:
        """A window as short as it can be chosen; a period of the plant's own by its title."""
        period = self.plant.periods.get(name)
        return self.title(period.title) if period else self(f"window_{name}")

    def long_window(self, name: str) -> str:
        """A window within a sentence."""
        period = self.plant.periods.get(name)
        return self.title(period.title) if period else self(f"long_window_{name}")

    def evidence(self, text: str) -> str:
        """The evidence of a drift or a notice; its few set phrases are translated, its numbers stay."""
        if self.lang == "en":
            return text
        return reduce(lambda done, pair: re.sub(pair[0], pair[1], done), EVIDENCE, text)

    def code(self, name: str) -> str:
        """A state, finding, quality or reason in words; one without a translation is shown as it is."""
        pair = CODES.get(name)
        return pair[LANGUAGES.index(self.lang)] if pair else name.replace("_", " ")
