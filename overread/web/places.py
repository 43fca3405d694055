"""Where a patient may be: countries (ISO 3166-1) and, for the United States, its states (ISO 3166-2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from overread.kit.language import gettext

# A code and a name each, with a bar between them; licences are the states' there, so the country alone says too little.
_STATES = """
    AL Alabama|AK Alaska|AZ Arizona|AR Arkansas|CA California|CO Colorado|CT Connecticut|DE Delaware|
    DC District of Columbia|FL Florida|GA Georgia|HI Hawaii|ID Idaho|IL Illinois|IN Indiana|IA Iowa|KS Kansas|
    KY Kentucky|LA Louisiana|ME Maine|MD Maryland|MA Massachusetts|MI Michigan|MN Minnesota|MS Mississippi|
    MO Missouri|MT Montana|NE Nebraska|NV Nevada|NH New Hampshire|NJ New Jersey|NM New Mexico|NY New York|
    NC North Carolina|ND North Dakota|OH Ohio|OK Oklahoma|OR Oregon|PA Pennsylvania|RI Rhode Island|
    SC South Carolina|SD South Dakota|TN Tennessee|TX Texas|UT Utah|VT Vermont|VA Virginia|WA Washington|
    WV West Virginia|WI Wisconsin|WY Wyoming
"""
_COUNTRIES = """
    AF Afghanistan|AL Albania|DZ Algeria|AS American Samoa|AD Andorra|AO Angola|AI Anguilla|AQ Antarctica|
    AG Antigua & Barbuda|AR Argentina|AM Armenia|AW Aruba|AU Australia|AT Austria|AZ Azerbaijan|AX Åland Islands|
    BS Bahamas|BH Bahrain|BD Bangladesh|BB Barbados|BY Belarus|BE Belgium|BZ Belize|BJ Benin|BM Bermuda|BT Bhutan|
    BO Bolivia|BA Bosnia & Herzegovina|BW Botswana|BV Bouvet Island|BR Brazil|IO British Indian Ocean Territory|
    BN Brunei|BG Bulgaria|BF Burkina Faso|BI Burundi|KH Cambodia|CM Cameroon|CA Canada|CV Cape Verde|
    BQ Caribbean NL|KY Cayman Islands|CF Central African Rep.|TD Chad|CL Chile|CN China|CX Christmas Island|
    CC Cocos (Keeling) Islands|CO Colombia|KM Comoros|CG Congo|CK Cook Islands|CR Costa Rica|CI Côte d’Ivoire|
    HR Croatia|CU Cuba|CW Curaçao|CY Cyprus|CZ Czech Republic|CD DR Congo|DK Denmark|DJ Djibouti|DM Dominica|
    DO Dominican Republic|TL East Timor|EC Ecuador|EG Egypt|SV El Salvador|GQ Equatorial Guinea|ER Eritrea|
    EE Estonia|SZ Eswatini (Swaziland)|ET Ethiopia|FK Falkland Islands|FO Faroe Islands|FJ Fiji|FI Finland|
    FR France|GF French Guiana|PF French Polynesia|TF French S. Terr.|GA Gabon|GM Gambia|GE Georgia|DE Germany|
    GH Ghana|GI Gibraltar|GR Greece|GL Greenland|GD Grenada|GP Guadeloupe|GU Guam|GT Guatemala|GG Guernsey|
    GN Guinea|GW Guinea-Bissau|GY Guyana|HT Haiti|HM Heard Island & McDonald Islands|HN Honduras|HK Hong Kong|
    HU Hungary|IS Iceland|IN India|ID Indonesia|IR Iran|IQ Iraq|IE Ireland|IM Isle of Man|IL Israel|IT Italy|
    JM Jamaica|JP Japan|JE Jersey|JO Jordan|KZ Kazakhstan|KE Kenya|KI Kiribati|KW Kuwait|KG Kyrgyzstan|LA Laos|
    LV Latvia|LB Lebanon|LS Lesotho|LR Liberia|LY Libya|LI Liechtenstein|LT Lithuania|LU Luxembourg|MO Macau|
    MG Madagascar|MW Malawi|MY Malaysia|MV Maldives|ML Mali|MT Malta|MH Marshall Islands|MQ Martinique|
    MR Mauritania|MU Mauritius|YT Mayotte|MX Mexico|FM Micronesia|MD Moldova|MC Monaco|MN Mongolia|ME Montenegro|
    MS Montserrat|MA Morocco|MZ Mozambique|MM Myanmar (Burma)|NA Namibia|NR Nauru|NP Nepal|NL Netherlands|
    NC New Caledonia|NZ New Zealand|NI Nicaragua|NE Niger|NG Nigeria|NU Niue|NF Norfolk Island|KP North Korea|
    MK North Macedonia|MP Northern Mariana Islands|NO Norway|OM Oman|PK Pakistan|PW Palau|PS Palestine|PA Panama|
    PG Papua New Guinea|PY Paraguay|PE Peru|PH Philippines|PN Pitcairn|PL Poland|PT Portugal|PR Puerto Rico|
    QA Qatar|RE Réunion|RO Romania|RU Russia|RW Rwanda|BL Saint Barthélemy|WS Samoa|SM San Marino|
    ST Sao Tome & Principe|SA Saudi Arabia|SN Senegal|RS Serbia|SC Seychelles|SL Sierra Leone|SG Singapore|
    SK Slovakia|SI Slovenia|SB Solomon Islands|SO Somalia|ZA South Africa|
    GS South Georgia & the South Sandwich Islands|KR South Korea|SS South Sudan|ES Spain|LK Sri Lanka|SH St Helena|
    KN St Kitts & Nevis|LC St Lucia|SX St Maarten (Dutch)|MF St Martin (French)|PM St Pierre & Miquelon|
    VC St Vincent|SD Sudan|SR Suriname|SJ Svalbard & Jan Mayen|SE Sweden|CH Switzerland|SY Syria|TW Taiwan|
    TJ Tajikistan|TZ Tanzania|TH Thailand|TG Togo|TK Tokelau|TO Tonga|TT Trinidad & Tobago|TN Tunisia|TR Turkey|
    TM Turkmenistan|TC Turks & Caicos Is|TV Tuvalu|VI US Virgin Islands|UM US minor outlying islands|UG Uganda|
    UA Ukraine|AE United Arab Emirates|GB United Kingdom|UY Uruguay|UZ Uzbekistan|VU Vanuatu|VA Vatican City|
    VE Venezuela|VN Vietnam|VG Virgin Islands (UK)|WF Wallis & Futuna|EH Western Sahara|YE Yemen|ZM Zambia|
    ZW Zimbabwe
"""


def _read(table: str, prefix: str = "", suffix: str = "") -> list[tuple[str, str]]:
    entries = (entry.strip().partition(" ") for entry in table.replace("\n", "").split("|"))
    return [(prefix + code, name.strip() + suffix) for code, _, name in entries]


NAMES = dict(_read(_COUNTRIES) + _read(_STATES, "US-", " (USA)"))


#: What somebody chooses who is in none of the places.
ELSEWHERE = "elsewhere"
#: More places than these are a list to choose from, and no sentence.
_MOST_TOLD = 12


def name(place: str) -> str:
    """A place as people call it; its code where we have no name."""
    return NAMES.get(place, place)


def choices(places: Iterable[str]) -> list[dict[str, Any]]:
    """Places by name as a choice, with somewhere else at the end: who is there is told so, and types no further."""
    return [*grouped(places), {"value": ELSEWHERE, "label": gettext("Somewhere else")}]


def everywhere() -> list[dict[str, Any]]:
    """Every place as a choice."""
    return grouped(NAMES)


def grouped(places: Iterable[str]) -> list[dict[str, Any]]:
    """Places by name as a choice, countries apart from the states of one."""
    listed = sorted(({"value": place, "label": name(place)} for place in places), key=lambda one: one["label"])
    states = [one for one in listed if "-" in one["value"]]
    countries = [one for one in listed if "-" not in one["value"]]
    if not states or not countries:
        return listed
    return [
        {"label": gettext("Countries"), "options": countries},
        {"label": gettext("States of the USA"), "options": states},
    ]


def told(places: Iterable[str]) -> str:
    """Where patients may be, as a sentence that stands before any typing. A place without a rule is blocked."""
    names = sorted(name(place) for place in places)
    if not names:
        return gettext("We can’t take requests just now: of no place it is recorded what its law asks.")
    if len(names) > _MOST_TOLD:
        return gettext(
            "We give opinions to people who are in one of %(count)s countries and states: the first step asks for "
            "yours before anything else counts.",
            count=len(names),
        )
    *others, last = names
    if others:
        return gettext(
            "We give opinions to people who are in %(places)s or %(last)s, and nowhere else yet.",
            places=", ".join(others),
            last=last,
        )
    return gettext("We give opinions to people who are in %(place)s, and nowhere else yet.", place=last)
