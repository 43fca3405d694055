// Modality codes (PS3.3 C.7.3.1.1.1) in words that patients know.

const NAMES: Readonly<Record<string, string>> = {
  CR: "X-ray",
  CT: "CT",
  DX: "X-ray",
  ECG: "ECG",
  ES: "Endoscopy",
  IVUS: "Ultrasound",
  KO: "Marked images",
  MG: "Mammogram",
  MR: "MRI",
  NM: "Scintigraphy",
  OCT: "Optical tomography",
  OP: "Eye photograph",
  OT: "Other",
  PR: "Display settings",
  PT: "PET",
  PX: "Dental X-ray",
  RF: "Fluoroscopy",
  RTDOSE: "Radiotherapy",
  RTPLAN: "Radiotherapy",
  RTSTRUCT: "Radiotherapy",
  SC: "Screen capture",
  SEG: "Marked regions",
  SM: "Pathology slide",
  SR: "Report",
  US: "Ultrasound",
  XA: "Angiography",
  XC: "Photograph",
};

export function modalityName(code: string): string {
  return NAMES[code] ?? (code || "Images");
}
