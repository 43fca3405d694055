"""Words that tell of somebody's health, of which a mail may hold none: mails lie open in inboxes and on lock screens.

A word stands as a whole; `*` at an end stands for the rest of a word, as of "tumour*" or "*krebs*". Case, accents and
spelling of a character make no difference.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache

from overread.kit.language import SOURCE

#: How many words a language's list has at most, and how long one is.
MOST_WORDS, LONGEST_WORD, SHORTEST_WORD = 500, 60, 2

#: What counts until somebody changes a language's list.
BUILT_IN: Mapping[str, tuple[str, ...]] = {
    language: tuple(text.split())
    for language, text in {
        "en": """
            cancer* tumour* tumor* oncolog* *carcinoma* metasta* lymphoma* leukaemia* leukemia* melanoma* sarcoma*
            MRI CT PET x-ray* xray* scan scans mammogra* ultrasound* biops* patholog* radiolog* diagnos* disease*
            illness* symptom* surgery chemo* radiotherap* breast* prostat* brain lung* knee* spine HIV pregnan*
            cardio* psychiatr*
        """,
        "de": """
            *krebs* *tumor* onkolog* *karzinom* metasta* *lymphom* leukämie* melanom* sarkom* MRT CT PET röntgen*
            mammogra* mammogramm* ultraschall* biops* patholog* radiolog* *diagnos* *krankheit* *erkrank* symptom*
            chemo* strahlentherap* brust* prostata* gehirn* lunge* knie* wirbel* HIV schwanger* kardio* psychiatr*
        """,
        "fr": """
            cancer* tumeur* oncolog* *carcinome* métasta* lymphome* leucémie* mélanome* IRM scanner* TDM TEP
            radiograph* mammogra* échograph* biops* patholog* radiolog* diagnos* maladie* symptôme* chirurg* chimio*
            sein seins prostat* cerveau poumon* genou* VIH grossesse* cardio* psychiatr*
        """,
        "es": """
            cáncer* tumor* oncolog* *carcinoma* metásta* linfoma* leucemia* melanoma* RM TC TAC PET radiograf*
            mamogra* ecograf* biops* patolog* radiolog* diagnos* enfermedad* síntoma* cirug* quimio* mama mamas
            próstata* cerebro pulmón* rodilla* VIH embaraz* cardio* psiquiatr*
        """,
        "pt": """
            câncer* cancro* tumor* oncolog* *carcinoma* metásta* linfoma* leucemia* melanoma* RM TC PET radiograf*
            mamogra* ecograf* ultrassom* biops* patolog* radiolog* diagnos* doença* sintoma* cirurg* quimio* mama
            mamas próstata* cérebro pulm* joelho* HIV gravidez* cardio* psiquiatr*
        """,
        "it": """
            cancro* tumor* oncolog* *carcinoma* metasta* linfoma* leucemia* melanoma* RM TC TAC PET radiograf*
            mammogra* ecograf* biops* patolog* radiolog* diagnos* malatti* sintom* chirurg* chemio* seno prostata*
            cervello polmon* ginocchi* HIV gravidanz* cardio* psichiatr*
        """,
        "ar": """
            *سرطان* *ورم* *أورام* *رنين* *أشعة* *ماموغرام* *خزعة* *تشخيص* *مرض* *أعراض* *جراحة* *كيماوي*
        """,
        "ja": """
            *がん* *癌* *腫瘍* MRI CT PET *レントゲン* *マンモグラ* *超音波* *生検* *病理* *放射線*
            *診断* *病気* *症状* *手術*
        """,
        "zh": """
            *癌* *肿瘤* *腫瘤* *磁共振* *核磁* MRI CT PET *X光* *乳腺* *超声* *活检* *病理* *放射*
            *诊断* *診斷* *疾病* *症状* *手术*
        """,
        "hi": """
            *कैंसर* *ट्यूमर* *एमआरआई* *सीटी* *एक्स-रे* *मैमोग्रा* *अल्ट्रासाउंड* *बायोप्सी*
            *निदान* *रोग* *बीमारी* *लक्षण* *सर्जरी*
        """,
        "th": """
            *มะเร็ง* *เนื้องอก* *เอ็มอาร์ไอ* *ซีที* *เอกซเรย์* *แมมโมแกรม* *อัลตราซาวด์*
            *ชิ้นเนื้อ* *วินิจฉัย* *โรค* *อาการ* *ผ่าตัด*
        """,
    }.items()
}


def found(text: str, words: Iterable[str]) -> str:
    """The word of a text that is in the list, as the text has it; "" where there is none."""
    plain, places = _plain(text)
    for word in words:
        match = _pattern(word).search(plain)
        if match:
            begin, end = match.span()
            while end < len(plain) and plain[end].isalnum():
                end += 1
            while begin and plain[begin - 1].isalnum():
                begin -= 1
            return text[places[begin] : places[end - 1] + 1]
    return ""


def built_in(language: str) -> tuple[str, ...]:
    """What counts for a language by itself; nothing where nobody made a list."""
    return BUILT_IN.get(language, ())


def lists(language: str) -> tuple[str, ...]:
    """The languages whose lists a text of this language is held against: English words stand everywhere."""
    return (language,) if language == SOURCE else (language, SOURCE)


@lru_cache(2048)
def _pattern(word: str) -> re.Pattern[str]:
    plain = re.escape(_plain(word.strip("*"))[0])
    before = "" if word.startswith("*") else r"(?<![^\W_])"
    after = "" if word.endswith("*") else r"(?![^\W_])"
    return re.compile(before + plain + after)


def _plain(text: str) -> tuple[str, list[int]]:
    """A text without case, accents and what can't be seen, and where each of its characters comes from."""
    out, places = [], []
    for place, character in enumerate(text):
        for one in unicodedata.normalize("NFKD", character).casefold():
            if unicodedata.category(one) not in ("Mn", "Cf"):
                out.append(one)
                places.append(place)
    return "".join(out), places
