"""Texts about prices: the default price, and the languages that texts are shown in.

Source: OCPP & California Pricing Requirements, OCPP 1.6 part.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from chargepoint.model.cost import DefaultPrice, PriceText
from chargepoint.model.cost_reading import read_default_price
from chargepoint.model.feature import FeatureProfile
from chargepoint.model.keys import Access, Key, KeyFamily, boolean, items, text

SOURCE = "California pricing"

_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*")
"""A tag of RFC 5646, by its form."""


def is_language(word: str) -> bool:
    return _LANGUAGE.fullmatch(word) is not None


def _source(price: DefaultPrice) -> str:
    return price.source


DEFAULT_PRICE: Key[DefaultPrice] = Key(
    "DefaultPrice",
    None,
    read_default_price,
    _source,
    "JSON",
    "",
    Access.READ_WRITE,
    SOURCE,
    "text where no price was told for a driver: priceText, priceTextOffline; chargingPrice for what begins offline",
)
DEFAULT_PRICE_TEXT: KeyFamily[DefaultPrice] = KeyFamily(
    "DefaultPriceText",
    read_default_price,
    _source,
    "JSON",
    SOURCE,
    "DefaultPrice in one more language: DefaultPriceText,de and so on, with priceText and priceTextOffline",
)
CUSTOM_MULTI_LANGUAGE_MESSAGES = boolean(
    "CustomMultiLanguageMessages",
    False,
    access=Access.READ_ONLY,
    source=SOURCE,
    effect="texts are shown in all languages in which they are told, else only in Language",
)
SUPPORTED_LANGUAGES = items(
    "SupportedLanguages",
    ("en",),
    check=is_language,
    expected="a language as in RFC 5646",
    access=Access.READ_ONLY,
    source=SOURCE,
    effect="languages that Language and DefaultPriceText may have",
)
LANGUAGE = text("Language", "en", source=SOURCE, effect="language of texts that are told without one")


class Texts(FeatureProfile):
    """Knows what to show of the price to a driver of whom nothing was told."""

    __slots__ = ()

    name = "Core"
    keys = (DEFAULT_PRICE, CUSTOM_MULTI_LANGUAGE_MESSAGES, SUPPORTED_LANGUAGES, LANGUAGE)

    def objection(self, name: str, value: str) -> str | None:
        if name == LANGUAGE.name and not self._is_supported(value):
            return f"{value!r} is not among the supported languages"
        head, _, language = name.partition(",")
        if head == DEFAULT_PRICE_TEXT.name and language and not self._is_supported(language):
            return f"{language!r} is not among the supported languages"
        return None

    def _is_supported(self, language: str) -> bool:
        return language.strip().lower() in (each.lower() for each in self.host.setting(SUPPORTED_LANGUAGES))

    @property
    def default_price(self) -> DefaultPrice | None:
        price: DefaultPrice | None = self.host.setting(DEFAULT_PRICE)
        return price

    def default_texts(self, is_online: bool) -> tuple[PriceText, ...]:
        """Return the default price in the language of the station, then in the others that it was told in."""
        language, price = self._language, self.default_price
        translations = dict(self.host.settings.members(DEFAULT_PRICE_TEXT))
        own = translations.pop(language.lower(), price)
        first = () if own is None else (PriceText(own.text_for(is_online), language),)
        others = (
            PriceText(each.text_for(is_online), variant)
            for variant, each in translations.items()
            if self._is_supported(variant)
        )
        return (*first, *others)

    def texts(self, plain: str, extra: Iterable[PriceText]) -> tuple[PriceText, ...]:
        """Return what was told of a price, as it is shown: extra texts only if the charger shows several languages."""
        first = (PriceText(plain, self._language),) if plain else ()
        return (*first, *extra) if self.host.setting(CUSTOM_MULTI_LANGUAGE_MESSAGES) else first

    @property
    def _language(self) -> str:
        return str(self.host.setting(LANGUAGE)).strip()


class Translations(FeatureProfile):
    """The default price in more languages than one."""

    __slots__ = ()

    name = "Core"
    families = (DEFAULT_PRICE_TEXT,)
