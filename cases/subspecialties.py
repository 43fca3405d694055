"""What specialists are specialised in, by region of the body, and how images tell which of them they want. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from overread.kit.language import Phrase


@dataclass(frozen=True, slots=True)
class Subspecialty:
    """A region. `parts`: what images of it say in Body Part Examined (defined terms of PS3.16 annex L)."""

    label: str
    parts: frozenset[str]


def _of(label: str, parts: str) -> Subspecialty:
    return Subspecialty(label, frozenset(parts.split()))


SUBSPECIALTIES: Mapping[str, Subspecialty] = {
    "neuro": _of(
        Phrase("Brain and spine"),
        "HEAD BRAIN SKULL PITUITARY SPINE CSPINE TSPINE LSPINE SSPINE CTSPINE TLSPINE LSSPINE",
    ),
    "head_neck": _of(
        Phrase("Head and neck"), "NECK HEADNECK FACE JAW MAXILLA ORBIT EYE EAR IAC NOSE SINUS THYROID TMJ"
    ),
    "breast": _of(Phrase("Breast"), "BREAST"),
    "chest": _of(Phrase("Chest and lung"), "CHEST LUNG RIB STERNUM MEDIASTINUM BRONCHUS THORAX CHESTABDOMEN"),
    "heart": _of(Phrase("Heart and vessels"), "HEART CORONARYARTERY AORTA CAROTID ARTERY VEIN VESSELS THORACICAORTA"),
    "abdomen": _of(
        Phrase("Abdomen"), "ABDOMEN LIVER PANCREAS SPLEEN STOMACH COLON RECTUM KIDNEY ABDOMENPELVIS GALLBLADDER"
    ),
    "pelvis": _of(Phrase("Pelvis"), "PELVIS PROSTATE UTERUS OVARY BLADDER TESTIS SCROTUM FETUS ABDOMENPELVIS"),
    "musculoskeletal": _of(
        Phrase("Bones and joints"),
        "KNEE LEG FEMUR FOOT ANKLE CALCANEUS TOE HIP ARM SHOULDER CLAVICLE SCAPULA ELBOW HUMERUS FOREARM WRIST HAND "
        "FINGER EXTREMITY SPINE CSPINE TSPINE LSPINE SSPINE LSSPINE",
    ),
}

#: Which of `models.SUBJECTS` images of a modality are (PS3.3 C.7.3.1.1.1).
_SUBJECT_OF: Mapping[str, str] = {
    "MG": "mammogram",
    "MR": "MRI",
    "CT": "CT",
    "CR": "X-ray",
    "DX": "X-ray",
    "PT": "PET",
    "US": "ultrasound",
    "SM": "pathology",
}


def subjects_of(modalities: Iterable[str]) -> frozenset[str]:
    """What images of these modalities are about; those that no subject is for are left out."""
    return frozenset(_SUBJECT_OF[one] for one in modalities if one in _SUBJECT_OF)


def wanted(body_parts: Iterable[str], subjects: Iterable[str]) -> frozenset[str]:
    """The subspecialties that may read images of these parts of the body; none where the parts say nothing.

    A mammogram is one of the breast, whether it says so or not.
    """
    shown = {part.strip().upper().replace(" ", "") for part in body_parts}
    found = {key for key, one in SUBSPECIALTIES.items() if one.parts & shown}
    return frozenset(found | ({"breast"} if "mammogram" in subjects else set()))
