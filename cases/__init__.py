"""The second opinion itself: intake, states, people, licences, assignment, deadlines, reports and notifications.

models.py      what is kept                    reference.py  the case's short reference number
states.py      both state machines, as tables  identity.py   is this study the patient's?
guards.py      what a transition asks for      redact.py     free text as a specialist may read it
effects.py     what a transition brings about  access.py     who sees which images
service/       what people do, by subject      views.py      what each role is shown
handlers.py    what events bring about         notify.py     mails without health data, mail.py sends them
routes.py      the JSON API                    report_pdf.py the report as a document
"""
