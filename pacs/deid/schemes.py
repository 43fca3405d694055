"""Coding schemes whose codes and meanings are published (PS3.16 8, Table 8-1): their words are no one's own.

Left out of the table's are NPI, which numbers people, and ISO_OID, under which anybody may name anything.
"""

from __future__ import annotations

from typing import Final

_DICOM = "1.2.840.10008.2.16."
_HL7 = "2.16.840.1.113883."

#: Coding Scheme Designator -> Coding Scheme UID, "" where the table gives none.
TABLE: Final[dict[str, str]] = {
    "99SDM": _HL7 + "6.53",
    "ACR": _HL7 + "6.76",
    "ASTM-sigpurpose": "1.2.840.10065.1.12",
    "BARI": "",
    "BI": "",
    "C4": _HL7 + "6.12",
    "C5": _HL7 + "6.82",
    "CD2": _HL7 + "6.13",
    "CTV3": _HL7 + "6.6",
    "DC": _DICOM + "10",
    "DCM": _DICOM + "4",
    "DCMUID": "1.2.840.10008.2.6.1",
    "FMA": _HL7 + "6.119",
    "HPC": _HL7 + "6.14",
    "I10": _HL7 + "6.3",
    "I10C": _HL7 + "6.90",
    "I10P": _HL7 + "6.4",
    "I11": _DICOM + "16",
    "I9": _HL7 + "6.42",
    "I9C": _HL7 + "6.2",
    "IBSI": _DICOM + "13",
    "ICDO3": _HL7 + "6.43.1",
    "IETF4646": "",
    "ISO3166_1": "2.16.1",
    "ISO5218_1": "",
    "ISO639_1": _HL7 + "6.99",
    "ISO639_2": _HL7 + "6.100",
    "ITIS_TSN": _DICOM + "7",
    "LN": _HL7 + "6.1",
    "MA": _DICOM + "5",
    "MAYOASRG": _DICOM + "12",
    "MDC": _HL7 + "6.24",
    "MDNS": "",
    "MGI": _DICOM + "8",
    "MSH": _HL7 + "6.177",
    "NBD": _HL7 + "15.2",
    "NBG": _HL7 + "15.3",
    "NCDR": "",
    "NCIt": _HL7 + "3.26.1.1",
    "NDC": _HL7 + "6.69",
    "NEU": _HL7 + "6.210",
    "NICIP": _HL7 + "2.1.3.2.4.21",
    "NYUMCCG": _DICOM + "11",
    "PATHLEX": "1.3.6.1.4.1.19376.1.8.2.1",
    "POS": _HL7 + "6.50",
    "PUBCHEM_CID": _DICOM + "9",
    "RADELEMENT": _DICOM + "15",
    "RADLEX": _HL7 + "6.256",
    "RFC-3881": "",
    "RFC3066": _HL7 + "6.121",
    "RFC5646": _HL7 + "6.316",
    "RO": _DICOM + "14",
    "RRID": _DICOM + "18",
    "RXNORM": _HL7 + "6.88",
    "SCPECG": "",
    "SCT": _HL7 + "6.96",
    "SNM3": _HL7 + "6.51",
    "SRT": _HL7 + "6.96",
    "UBERON": _DICOM + "6",
    "UCUM": _HL7 + "6.8",
    "UMLS": _HL7 + "6.86",
    "UNS": _DICOM + "17",
    "UPC": _HL7 + "6.55",
    "caDSR": _HL7 + "3.26.2",
}
#: What writers call published schemes beside the table.
_OTHERS = ("SDM", "ICD11", "CD8", "CDT-2", "INCITS", "SPM", "TG-263", "FTID", "MAYO", "HL7")

#: Designators as their bytes.
PUBLISHED: Final = frozenset(name.encode() for name in (*TABLE, *_OTHERS))
UIDS: Final = frozenset(TABLE.values()) - {""}
