"""Reports in seven languages, as specialists write them. `python -m tests.cases.scripts_of_the_world FOLDER` makes
pictures of their documents, for people to look at.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pypdfium2

from cases import report_pdf
from cases.report_views import SignatureView
from cases.views import Answer, ReportView, WrittenText


@dataclass(frozen=True, slots=True)
class Words:
    """What one report says. `tag`: what its impression's paragraphs are marked as; `rtl`: whether they run so."""

    patient: str
    program: str
    question: str
    answer: str
    impression: str
    study: str
    signer: str
    qualification: str
    practice: str
    tag: str
    rtl: bool = False


WORDS = {
    "english": Words(
        "Margaret O’Neill-Żuławska",
        "Bone & joint",
        "Is the meniscus torn, and do I need an operation?",
        "There is a small horizontal tear of the posterior horn of the medial meniscus. It does not reach the joint "
        "surface and rarely needs an operation.",
        "MRI of the left knee, 3 T:\n1. Grade 2 signal in the posterior horn of the medial meniscus, 4–6 mm.\n"
        "2. Cruciate and collateral ligaments intact. Cartilage: ICRS ≤ 1; no effusion (Δ < 5 ml).\n\n"
        "Recommendation: physiotherapy for six weeks, then review.",
        "MR of 2026-11-21 (Left knee), 212 images",
        "Dr. Aoife Brennan",
        "Radiologist, FFR RCSI",
        "Hillside Imaging, Cork",
        "",
    ),
    "german": Words(
        "Jörg Weißenböck",
        "Knochen & Gelenke",
        "Muss das Überbein am rechten Großzehengrundgelenk operiert werden?",
        "Nein. Die Veränderung ist gutartig und seit der Voraufnahme vom 03.05.2026 unverändert groß (12 × 9 mm).",
        "Magnetresonanztomographie des rechten Vorfußes vor und nach Kontrastmittel:\n"
        "Mäßige Großzehengrundgelenksarthrose (Hallux rigidus Grad II), kein Knochenmarködem, keine Stressfraktur.\n\n"
        "Empfehlung: Einlagenversorgung; bei Beschwerdezunahme Verlaufskontrolle in sechs Monaten. "
        "Mehrschichtspiralcomputertomographieuntersuchungsprotokollzusammenfassung liegt bei.",
        "MR of 2026-11-20 (Vorfuß rechts), 148 images",
        "PD Dr. med. Änne Groß",
        "Fachärztin für Radiologie",
        "Röntgenpraxis am Schloß, Würzburg",
        "",
    ),
    "arabic": Words(
        "فاطمة الزهراء بنت عبد الرحمن",
        "العظام والمفاصل",
        "هل يوجد تمزق في الغضروف الهلالي، وهل أحتاج إلى عملية جراحية؟",
        "نعم، يوجد تمزق صغير في القرن الخلفي للغضروف الهلالي الإنسي بطول 4.5 mm، ولا يحتاج عادةً إلى جراحة.",
        "تصوير الركبة اليسرى بالرنين المغناطيسي (MRI 3T) بتاريخ ٢١ نوفمبر ٢٠٢٦:\n"
        "١. إشارة من الدرجة الثانية في القرن الخلفي للغضروف الهلالي الإنسي (Grade 2).\n"
        "٢. الرباطان الصليبيان سليمان، ولا يوجد انصباب مفصلي يُذكر.\n"
        "ACL and PCL: intact.\n\n"
        "التوصية: علاج طبيعي لمدة 6 أسابيع ثم إعادة التقييم.",
        "MR of 2026-11-21 (الركبة اليسرى), 212 images",
        "د. ليلى حدّاد",
        "استشارية الأشعة التشخيصية",
        "مركز الشفاء للتصوير الطبي، عمّان",
        "und-Arab",
        True,
    ),
    "japanese": Words(
        "山田 直子",
        "骨と関節",
        "半月板は断裂していますか。手術は必要でしょうか。",
        "内側半月板後角に小さな水平断裂を認めますが、関節面には達しておらず、通常は手術を必要としません。",
        "左膝関節MRI（3T、造影なし）：\n"
        "１．内側半月板後角にGrade 2の信号変化（長さ4.5 mm）。関節面への明らかな到達は認めない。\n"
        "２．前十字靱帯・後十字靱帯・側副靱帯に損傷なし。骨髄浮腫および関節液貯留なし。\n\n"
        "推奨：６週間の理学療法の後、症状が続く場合は再評価をお勧めします。直近の画像との比較では著変ありません。",
        "MR of 2026-11-21 (左膝関節), 212 images",
        "佐藤 健一",
        "放射線診断専門医",
        "東京骨関節画像診断センター",
        "ja",
    ),
    "chinese": Words(
        "陈晓敏",
        "骨与关节",
        "半月板是否撕裂？需要手术吗？",
        "内侧半月板后角可见小的水平撕裂，未达关节面，通常不需要手术治疗。",
        "左膝关节磁共振（3T，平扫）：\n"
        "1. 内侧半月板后角Ⅱ级信号，长约4.5 mm，未见明确达关节面的撕裂。\n"
        "2. 前、后交叉韧带及内、外侧副韧带连续，未见骨髓水肿，关节腔无明显积液。\n\n"
        "建议：先行六周康复训练，若症状持续再复查；与既往片对比，无明显变化。",
        "MR of 2026-11-21 (左膝关节), 212 images",
        "王建国 主任医师",
        "放射科主任医师",
        "上海骨关节影像中心",
        "zh-Hans",
    ),
    "hindi": Words(
        "श्रीमती प्रज्ञा त्रिपाठी",
        "हड्डी और जोड़",
        "क्या मेनिस्कस फटा हुआ है, और क्या मुझे ऑपरेशन की ज़रूरत है?",
        "मीडियल मेनिस्कस के पिछले भाग में एक छोटी दरार है। वह जोड़ की सतह तक नहीं पहुँचती और आम तौर पर ऑपरेशन की आवश्यकता नहीं होती।",
        "बाएँ घुटने का एमआरआई (MRI 3T):\n"
        "१. मीडियल मेनिस्कस के पश्च शृंग में ग्रेड 2 का सिग्नल, लंबाई 4.5 mm।\n"
        "२. दोनों क्रूसिएट लिगामेंट सुरक्षित हैं; अस्थि-मज्जा में सूजन या जोड़ में द्रव नहीं है।\n\n"
        "सलाह: छह सप्ताह तक फ़िज़ियोथेरेपी, उसके बाद पुनः मूल्यांकन।",
        "MR of 2026-11-21 (बायाँ घुटना), 212 images",
        "डॉ. कृष्णमूर्ति द्विवेदी",
        "रेडियोलॉजिस्ट, एमडी",
        "स्वास्थ्य इमेजिंग केंद्र, लखनऊ",
        "und-Deva",
    ),
    "thai": Words(
        "ณัฐพงษ์ ศรีสุวรรณ",
        "กระดูกและข้อ",
        "หมอนรองกระดูกเข่าฉีกขาดหรือไม่ และต้องผ่าตัดหรือไม่",
        "พบรอยฉีกขาดขนาดเล็กในแนวนอนที่ส่วนหลังของหมอนรองกระดูกเข่าด้านใน ไม่ถึงผิวข้อ โดยทั่วไปไม่จำเป็นต้องผ่าตัด",
        "เอ็มอาร์ไอข้อเข่าซ้าย (MRI 3T):\n"
        "๑. พบสัญญาณผิดปกติระดับ 2 ที่ส่วนหลังของหมอนรองกระดูกเข่าด้านใน ยาวประมาณ 4.5 mm\n"
        "๒. เอ็นไขว้หน้าและเอ็นไขว้หลังปกติ ไม่พบไขกระดูกบวมน้ำหรือน้ำในข้อเข่าที่มีนัยสำคัญ\n\n"
        "คำแนะนำ: ทำกายภาพบำบัดเป็นเวลาหกสัปดาห์ แล้วประเมินอาการซ้ำ หากยังปวดอยู่ให้ปรึกษาแพทย์ออร์โธปิดิกส์",
        "MR of 2026-11-21 (ข้อเข่าซ้าย), 212 images",
        "พญ. กัญญารัตน์ วงศ์ใหญ่",
        "แพทย์รังสีวินิจฉัย",
        "ศูนย์ภาพวินิจฉัยกรุงเทพ",
        "th",
    ),
}


def report(name: str) -> ReportView:
    """The report in a language, as its patient reads it."""
    words, number = WORDS[name], list(WORDS).index(name)
    return ReportView(
        report_id=UUID(int=number + 1),
        case_id=UUID(int=number + 101),
        reference="OV-2222-2222",
        program=words.program,
        subjects=("MR",),
        patient=f"{words.patient}, born 1971-03-09",
        version=1,
        answers=(Answer(UUID(int=number + 201), 1, words.question, words.answer),),
        texts=(WrittenText("impression", "Impression", "In short", words.impression),),
        studies=(words.study,),
        signed_by=words.signer,
        signed_at=datetime(2026, 11, 23, 9, 30, tzinfo=UTC),
        published_at=datetime(2026, 11, 23, 10, 0, tzinfo=UTC),
        digest="ab" * 32,
        intact=True,
        follow_ups=(),
        edition="ab" * 32,
        zone="Europe/Berlin",
        signature=SignatureView(words.signer, words.qualification, words.practice, "Licence CA-4471, to 2027-06-30"),
    )


def pictures(folder: Path) -> None:
    """A PNG file of each page of each report, and of one in all scripts with signs that no font has."""
    folder.mkdir(parents=True, exist_ok=True)
    english = report("english")
    mixed = "\n".join(one.impression.splitlines()[1] for one in WORDS.values()) + "\n🙂 👩🏽‍⚕️ fine ❤"
    several = replace(english, texts=(WrittenText("impression", "Impression", "In short", mixed),))
    for name, shown in {**{name: report(name) for name in WORDS}, "mixed": several}.items():
        with pypdfium2.PdfDocument(report_pdf.render(shown)) as document:
            for number, page in enumerate(document, start=1):
                page.render(scale=1.6).to_pil().save(folder / f"{name}-{number}.png")


if __name__ == "__main__":
    pictures(Path(sys.argv[1]))
