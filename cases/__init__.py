"""The second opinion itself: intake, states, people, licences, assignment, deadlines, reports and notifications.

What is kept: `models`, `reference` (the case's short number), `repository` (every query, and who may load what).
What may happen: `states` (both state machines, as tables), `guards` (what a transition asks for), `effects` (what it
brings about), `move` and `machine` (which execute the tables).
What people do: `service`, one module a subject; `views` (what each role is shown), `story` (told to the patient),
`redact` (free text as a specialist may read it), `access` (who sees which images).
What is decided: `identity` (is this study the patient's?), `licences` (who may read?), `money` (what is asked of
billing), `imaging` (what is asked of the archive).
What goes out: `notify` and `mail` (mails without health data), `report_pdf`, `report_plain` and `report_sr` (the
report as a document, as text, as coded items), `report_dicom` (both in the archive), `typesetting` (words of any
script), `routes`, `operations`, `bodies` and `openapi` (the JSON API), `events` and `handlers` (jobs).
"""
