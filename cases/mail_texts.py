"""What each mail says by itself: no health data, only that something waits behind a sign-in, and by when."""

from __future__ import annotations

from collections.abc import Mapping

from cases import mail_texts_after
from cases.mail_template import Template
from overread.kit.language import Phrase

TEMPLATES: Mapping[str, Template] = {
    "submitted": Template(
        Phrase("{reference}: we have received your request"),
        Phrase(
            "Thank you. Your request is complete.\n\nYou will hear from us by {due}. "
            "Until then you can follow every step here:\n{link}"
        ),
    ),
    "submitted_waiting": Template(
        Phrase("{reference}: we have received your request"),
        Phrase(
            "Thank you. Your request is complete, but for what your hospital is to send. The time to your answer "
            "counts from when it is here, and you then hear the exact day and hour.\n\nThe number for the hospital "
            "and a sheet to print stand here:\n{link}"
        ),
    ),
    "images_arrived": Template(
        Phrase("{reference}: what you waited for has arrived"),
        Phrase(
            "What your hospital was to send is here.\n\nYou will hear from us by {due}. Follow every step here:\n{link}"
        ),
    ),
    "needs_info": Template(
        Phrase("{reference}: we need something from you"),
        Phrase(
            "To go on, we need an answer from you. The clock stands still until then.\n\nPlease answer here:\n{link}"
        ),
    ),
    "reminder": Template(
        Phrase("{reference}: we are still waiting for your answer"),
        Phrase(
            "We asked you for something {days} days ago and can't go on without it.\n\nPlease answer here:\n{link}\n\n"
            "Without an answer within {left} days we will close the request; you would not be charged."
        ),
    ),
    "expired": Template(
        Phrase("{reference}: your request was closed"),
        Phrase(
            "We did not get the answer that we needed, and have closed the request. What was held on your card "
            "is released."
            "\n\nDetails:\n{link}"
        ),
    ),
    "accepted": Template(
        Phrase("{reference}: a specialist has begun"),
        Phrase("A specialist has accepted your request. You will hear from us by {due}.\n\nFollow it here:\n{link}"),
    ),
    "published": Template(
        Phrase("{reference}: your report is ready"),
        Phrase("Your report is ready. Sign in to read and download it:\n{link}"),
        "/cases/{case_id}/report",
    ),
    "unread": Template(
        Phrase("{reference}: your report waits for you"),
        Phrase("Your report has been ready for some days, and nobody has opened it yet. Sign in to read it:\n{link}"),
        "/cases/{case_id}/report",
    ),
    "new_version": Template(
        Phrase("{reference}: your report has a new version"),
        Phrase(
            "Your report was corrected or added to. Sign in to read what is new; earlier versions stay there, marked "
            "as such:\n{link}"
        ),
        "/cases/{case_id}/report",
    ),
    "recalled": Template(
        Phrase("{reference}: please don't use your report for now"),
        Phrase(
            "We have taken back the report that we gave you. Please don't use it, also where you have saved or printed "
            "it. Somebody of us will be in touch with you. Details:\n{link}"
        ),
        "/cases/{case_id}/report",
    ),
    "restored": Template(
        Phrase("{reference}: your report is there again"),
        Phrase("We have looked at the report that was taken back: it is right as it was. Read it here:\n{link}"),
        "/cases/{case_id}/report",
    ),
    "version_of_read": Template(
        Phrase("{reference}: a new version of a report that you have read"),
        Phrase("A report that you have opened was corrected or added to since. See what is new:\n{link}"),
        "/queue/{case_id}",
    ),
    "recall_incident": Template(
        Phrase("{reference}: incident: a report was recalled after it was published"),
        Phrase(
            "A report that must not be read was given to a patient, and is closed now. The case lists who has read it: "
            "be in touch with each of them, and follow the incident procedure:\n{link}"
        ),
        "/queue/{case_id}",
    ),
    "recall_incident_admin": Template(
        Phrase("{reference}: incident: a report was recalled after it was published"),
        Phrase(
            "A report that must not be read was given to a patient, and is closed now. The coordinators see who has "
            "read it; what was done stands in the audit log:\n{link}"
        ),
        "/audit",
    ),
    "sent_back": Template(
        Phrase("{reference}: please look at your report again"),
        Phrase(
            "The report that you signed was sent back before it was published. The reason stands above your text, from "
            "which a new version begins:\n{link}"
        ),
        "/reading/{case_id}/report",
    ),
    "change_asked": Template(
        Phrase("{reference}: please correct or add to your report"),
        Phrase(
            "A coordinator asks you for a correction or an addition, and says why. The images are open for you:\n{link}"
        ),
        "/reading/{case_id}",
    ),
    "declined": Template(
        Phrase("{reference}: we can't take your request"),
        Phrase(
            "We are sorry: we can't go on with your request. What was held on your card is released, what was "
            "charged is "
            "refunded.\n\nThe reason is here:\n{link}"
        ),
    ),
    "withdrawn": Template(
        Phrase("{reference}: your request is withdrawn"),
        Phrase("You have withdrawn your request. Nobody can see your images any more.\n\nDetails:\n{link}"),
    ),
    "pay_again": Template(
        Phrase("{reference}: please confirm your payment"),
        Phrase(
            "The hold on your card has ended or was refused, and nothing was charged. Please confirm the "
            "payment:\n{link}"
        ),
    ),
    "new_promise": Template(
        Phrase("{reference}: a new time for your answer"),
        Phrase(
            "The time by which you hear from us has changed. It is now {due}.\n\nWhy, and everything else, is "
            "here:\n{link}"
        ),
    ),
    "paused": Template(
        Phrase("{reference}: the clock stands still"),
        Phrase(
            "We can't go on with your request just now. The clock stands still; when it goes on, we tell you the new "
            "time.\n\nWhy is here:\n{link}"
        ),
    ),
    "resumed": Template(
        Phrase("{reference}: we go on"),
        Phrase("We go on with your request. You will hear from us by {due}.\n\nFollow it here:\n{link}"),
    ),
    "due_near": Template(
        Phrase("{reference}: due by {due}"),
        Phrase(
            "The patient was promised an answer by {due}. If that can't be kept, give them a new time before:\n{link}"
        ),
        "/queue/{case_id}",
    ),
    "case_given": Template(
        Phrase("{reference}: this case is yours to look after"),
        Phrase("A colleague has given you a case to look after. It is here:\n{link}"),
        "/queue/{case_id}",
    ),
    "due_passed": Template(
        Phrase("{reference}: the promised time has passed"),
        Phrase(
            "The patient was promised an answer by {due}, and has none. Tell them: give a new time, and the "
            "reason:\n{link}"
        ),
        "/queue/{case_id}",
    ),
    "report_due_near": Template(
        Phrase("{reference}: your report is due soon"),
        Phrase("Your report is due by {due}. Go on here:\n{link}"),
        "/reading/{case_id}",
    ),
    "report_due_passed": Template(
        Phrase("{reference}: your report is late"),
        Phrase("Your report was due by {due}. The program knows of it, too. Go on here:\n{link}"),
        "/reading/{case_id}",
    ),
    "due_moved": Template(
        Phrase("{reference}: your report is due at another time"),
        Phrase("Your report is due by {due} now:\n{link}"),
        "/reading/{case_id}",
    ),
    "message": Template(
        Phrase("{reference}: a message for you"), Phrase("There is a new message for you. Read it here:\n{link}")
    ),
    "follow_up": Template(
        Phrase("{reference}: a question after your report"),
        Phrase("The reader of your report has a question. Answer it here:\n{link}"),
        "/reading/{case_id}",
    ),
    "follow_up_answered": Template(
        Phrase("{reference}: your question was answered"),
        Phrase("The answer is here:\n{link}"),
        "/cases/{case_id}/report",
    ),
    "incident": Template(
        Phrase("{reference}: incident: a study was taken out after it was open to a specialist"),
        Phrase(
            "A study was taken out of a case whose images a specialist could see. Find out whether it was seen, and "
            "follow the incident procedure:\n{link}"
        ),
        "/queue/{case_id}",
    ),
    "hold_ending": Template(
        Phrase("{reference}: the hold on the card ends soon"),
        Phrase(
            "The hold on the card ends within a day. Find a specialist, or ask the patient to confirm again:\n{link}"
        ),
        "/queue/{case_id}",
    ),
    "payment_problem": Template(
        Phrase("{reference}: the payment needs a look"),
        Phrase("A payment failed, ran out or is disputed. See the case:\n{link}"),
        "/queue/{case_id}",
    ),
    "refund_problem": Template(
        Phrase("{reference}: a refund was not possible"),
        Phrase("What the patient is owed could not be given back automatically. See the case:\n{link}"),
        "/queue/{case_id}",
    ),
    "digest": Template(
        Phrase("{subject}"),
        Phrase(
            "There is something to look at. What was done before this mail was made is left out.\n\n{entries}\n\n"
            "The whole queue:\n{link}"
        ),
        "/queue",
    ),
    "damaged": Template(
        Phrase("The file of an image is missing or damaged"),
        Phrase(
            "The server found that the file of at least one image is missing or damaged; what is whole is still "
            "given. Tell"
            " whoever runs it: `overread verify` names the files, and the operations guide says how to bring "
            "them back.\n\n"
            "{link}"
        ),
        "/",
    ),
    "offer": Template(
        Phrase("{reference}: may we send you this case?"),
        Phrase("A case is offered to you until {expires}. See what it is about, and accept or decline:\n{link}"),
        "/offers/{case_id}",
    ),
    "offer_taken_back": Template(
        Phrase("{reference}: the offer was taken back"), Phrase("The case is no longer offered to you."), "/offers"
    ),
    "accepted_by_you": Template(
        Phrase("{reference}: the images are open for you"),
        Phrase("Thank you for accepting. The images are open for you; the report is due by {due}:\n{link}"),
        "/reading/{case_id}",
    ),
    "answered": Template(
        Phrase("{reference}: your question was answered"), Phrase("The answer is here:\n{link}"), "/reading/{case_id}"
    ),
    "new_images": Template(
        Phrase("{reference}: more images have come"),
        Phrase(
            "More images of a case that you are reading were released. Please look at them before you sign:\n{link}"
        ),
        "/reading/{case_id}",
    ),
    "erased": Template(
        Phrase("{reference}: your request is erased"),
        Phrase(
            "As you asked, your request and everything that came with it is erased. Nobody can bring it back.\n\n{link}"
        ),
        "/cases",
    ),
    "confirm_address": Template(
        Phrase("Please confirm your e-mail address"),
        Phrase(
            "Somebody, probably you, has made an account with this address. To confirm that it is yours, open "
            "this link "
            "within three days, on any device:\n{link}\n\nIf it was not you, you need do nothing: without the link "
            "nothing is stored."
        ),
        "/confirm/{token}",
    ),
    "corrected": Template(
        Phrase("{reference}: we corrected your details"),
        Phrase(
            "We have corrected something that your request says of the patient. Please look at it, and write to us if "
            "it is not right:\n{link}"
        ),
    ),
    "delegate_invited": Template(
        Phrase("Somebody asks for your help with a request"),
        Phrase(
            "Somebody wants you to act for them. Who it is, and what you could do for them, you see when you open this "
            "link within two weeks; nothing happens before you agree:\n{link}\n\nIf you expect nothing of that kind, "
            "you need do nothing."
        ),
        "/acting/{token}",
    ),
    "delegate_accepted": Template(
        Phrase("Your invitation was accepted"),
        Phrase("Somebody whom you invited acts for you from now on. Look at it, or end it, here:\n{link}"),
        "/account/delegates",
    ),
    "delegate_ended": Template(
        Phrase("An agreement to act for somebody has ended"),
        Phrase("You or the other side has ended it. Nothing more can be done by it:\n{link}"),
        "/account/delegates",
    ),
    "referral_invited": Template(
        Phrase("{reference}: something was prepared for you"),
        Phrase(
            "Somebody has prepared a request in your name, and you decide whether it goes on. Open this link within "
            "two weeks, and sign in or make an account; you then see who it was and what it says. Nothing is sent and "
            "nothing is charged before you agree:\n{link}\n\nIf you expect nothing of that kind, you need do nothing."
        ),
        "/referred/{token}",
    ),
    "referral_taken_up": Template(
        Phrase("{reference}: your invitation was taken up"),
        Phrase(
            "The person whom you invited has agreed, and goes on by themselves. How far it is, you see here:\n{link}"
        ),
        "/referrals",
    ),
    "referral_refused": Template(
        Phrase("{reference}: your invitation was declined"),
        Phrase("The person whom you invited does not want to go on. Nothing of it is kept:\n{link}"),
        "/referrals",
    ),
    "referral_report": Template(
        Phrase("{reference}: there is something to read for you"),
        Phrase("What you asked for is ready, and you may read it. Sign in:\n{link}"),
        "/referrals",
    ),
    "referral_recalled": Template(
        Phrase("{reference}: please don't use what you read for now"),
        Phrase(
            "What you could read by this number has been taken back. Please don't use it, also where you have saved or "
            "printed it. How far it is now, you see here:\n{link}"
        ),
        "/referrals",
    ),
    "physician_link": Template(
        Phrase("{reference}: a patient wants you to read something"),
        Phrase(
            "A patient lets you read what was written for them. Open this link:\n{link}\n\n"
            "It asks for a code, which no mail holds: the patient gives it to you. The link is good until {expires}."
            "\n\nIf it is not for you, please don't open it, and delete this mail."
        ),
        "/physician/{token}",
    ),
    "physician_changed": Template(
        Phrase("{reference}: what a patient let you read has changed"),
        Phrase(
            "What a patient let you read by a link of ours was corrected, added to, or given back after it was taken "
            "back. Please don't rely on what you saved or printed before. While the link that we mailed you is good, "
            "it shows what counts now; if it has ended, ask the patient for another one."
        ),
        "/",
    ),
    "physician_recalled": Template(
        Phrase("{reference}: please don't use what a patient let you read"),
        Phrase(
            "What a patient let you read by a link of ours has been taken back. Please don't use it, also where you "
            "have saved or printed it. You get a mail when there is something to read again."
        ),
        "/",
    ),
    "physician_handed": Template(
        Phrase("{reference}: a physician can read what was written for you"),
        Phrase(
            "As you have asked us to, we let a physician read it for some days. Who it is and when they read it, you "
            "see here, and you can end it at any time:\n{link}"
        ),
        "/cases/{case_id}/physicians",
    ),
    "has_account": Template(
        Phrase("You have an account already"),
        Phrase(
            "Somebody, probably you, wanted to make an account with this address, which has one already. Sign in to "
            "it:\n{link}\n\nIf it was not you, you need do nothing: nobody was told that it exists."
        ),
        "/sign-in",
    ),
    "licence_entered": Template(
        Phrase("A licence waits for your check"),
        Phrase("A specialist has entered or renewed a licence. It counts once you have verified it:\n{link}"),
        "/licences",
    ),
    "licence_verified": Template(
        Phrase("Your licence is verified"),
        Phrase("The licence that you entered counts from now on:\n{link}"),
        "/licences",
    ),
    "licence_declined": Template(
        Phrase("Your licence could not be verified"),
        Phrase(
            "We could not verify the licence that you entered, and have taken it out. Look at number and date, and "
            "enter it again:\n{link}"
        ),
        "/licences",
    ),
    "profile_entered": Template(
        Phrase("A specialist’s profile waits for your check"),
        Phrase("A specialist has entered or changed what they read. It counts once you have confirmed it:\n{link}"),
        "/readers",
    ),
    "profile_confirmed": Template(
        Phrase("Your profile is confirmed"),
        Phrase("What you entered in your profile counts from now on:\n{link}"),
        "/reader",
    ),
    "profile_declined": Template(
        Phrase("Your profile could not be confirmed"),
        Phrase(
            "We could not confirm what you entered in your profile, and have put back what was confirmed before. Look "
            "at it, and enter it again:\n{link}"
        ),
        "/reader",
    ),
    "place_served": Template(
        Phrase("We can help where you are now"),
        Phrase(
            "You asked us to tell you when we take requests from where you are. We do now. Begin here:\n{link}\n\n"
            "This is the only mail that you get because of that; your address is forgotten with it."
        ),
        "/eligibility",
    ),
    "ended": Template(
        Phrase("{reference}: this case has ended"), Phrase("The case was ended; its images are closed."), "/reading"
    ),
    **mail_texts_after.TEMPLATES,
}
