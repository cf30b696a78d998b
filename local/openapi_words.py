"""The words of the API description: what each field means, its unit, and an example. One word per thing, so one row per name.

A row `Form.field` is about that field in that form only. An example is as the simulated system answers.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple


class Word(NamedTuple):
    """A field's meaning and an example of its value; `format` is JSON Schema's."""

    description: str
    example: Any
    format: str | None = None


SALE_ID: Final = "ccdef68f0f7e138ed4b3261c95436275"
OTHER_SALE_ID: Final = "8f5f04e48e92846ec3d63441cb1cdc87"
DISCREPANCY_ID: Final = "5180ee4a9f4dd2d482d565d6fb7403c1"
SHA256: Final = "51f005fbf07248fa3ab2087862b40ca43bfa43686adef11a36d892816f3c65e1"
SUPPLIERS_ID: Final = "d61f9836-322f-5cbd-9b3a-9f759ab95573"
DAY: Final = "2026-05-01"
_AT: Final = "2026-05-01T10:00:00.006252Z"
_FILE: Final = "FULCRUM.MERCHANT.SIMULATED.RECON.20260502060000000.txt"

WORDS: Final[Mapping[str, Word]] = MappingProxyType(
    {
        # Sales
        "transactionId": Word("The sale: 32 hexadecimal digits, the same for ever.", SALE_ID),
        "ProblemBody.transactionId": Word(
            "The sale that this is about. On `possible-duplicate` and `prevend-used` it is the *other* sale; `instance` is then your own.",
            SALE_ID,
        ),
        "RejectionBody.transactionId": Word("The *other* sale, where there is one that stands in the way.", OTHER_SALE_ID),
        "version": Word("Counts what can be seen to change of this, from 1. Of two bodies, the higher version is the later one.", 2),
        "vasType": Word("The service.", "utility"),
        "state": Word(
            "What became of the sale. Money moves only on this: capture on `vended`, release on `rejected`, hold on anything else.",
            "vended",
        ),
        "ProblemBody.state": Word(
            "Only where this is about an outcome. `rejected`: nothing was or will be vended under this key.", "rejected"
        ),
        "OursBody.state": Word("What our record says became of the sale.", "vended"),
        "HealedBody.state": Word("How it ended: `vended` by a line of a file, `rejected` by the silence of all of them.", "vended"),
        "StillOpenBody.state": Word("How it stands.", "in_doubt"),
        "amountCents": Word("The amount, in cents of a rand, VAT and fees included: 10000 is R100.00.", 10_000),
        "ProductBody.amountCents": Word("The fixed price, in cents of a rand; `null` where the amount may be chosen.", 5_000),
        "ChargeBody.amountCents": Word("What was taken, in cents of a rand; `null` where it is not said.", 4_000),
        "merchantProductId": Word("The product, as `products` lists it.", "SimUtility0000000000"),
        "meterNumber": Word("The electricity meter: 11 or 13 digits, as text.", "12345678901"),
        "DossierBody.meterNumber": Word("The electricity meter's last four digits.", "*8901"),
        "accountNumber": Word("The account with the biller: 5 to 20 digits, as text.", "135609708"),
        "DossierBody.accountNumber": Word("The account's last four digits.", "*9708"),
        "mobileNumber": Word("The mobile number, as `27821234567`. Requests may also say `0821234567` or `+27821234567`.", "27821234567"),
        "DossierBody.mobileNumber": Word("The mobile number's last four digits.", "*4567"),
        "reference": Word("Your own words of up to 64 characters, without control characters; echoed everywhere.", "basket 7"),
        "ReceiptBody.reference": Word("The supplier's reference.", "SIM-REF-d61f9836"),
        "simulated": Word("Whether it was sold by the simulated supplier: its tokens have no value.", True),
        "supplierId": Word("Who sells: `MOBILEMART`, or `SIMULATED` where sales are simulated.", "SIMULATED"),
        "createdAt": Word("When the sale began, RFC 3339 in UTC.", "2026-05-01T10:00:00.000000Z", "date-time"),
        "updatedAt": Word("When anything in this last changed, RFC 3339 in UTC.", _AT, "date-time"),
        "receipt": Word("What was delivered; `null` unless the state is `vended`.", None),
        "problem": Word("Why nothing was sold; `null` unless the state is `rejected`.", None),
        "transactions": Word("The sales of this page.", None),
        "FoundBody.transactions": Word("The sales that were found, newest first; at most 100.", None),
        "notReadable": Word(
            "Sales on record of which the version that runs cannot read what became of them, as a roll back leaves them: no outcome. "
            "Only where there are such.",
            None,
        ),
        "UnreadDossierBody.notReadable": Word("That the version that runs cannot read what became of the sale.", True),
        "unknown": Word("What cannot be read, or is not known to the version that runs.", ["State half_vended"]),
        "UnreadDossierBody.record": Word("The structure of all that is on record, as JSON, with what is harmless in it.", "{}"),
        "UnreadDossierBody.meterNumber": Word("The electricity meter's last four digits.", "*8901"),
        "UnreadDossierBody.accountNumber": Word("The account's last four digits.", "*9708"),
        "UnreadDossierBody.mobileNumber": Word("The mobile number's last four digits.", "*4567"),
        "cursor": Word("Asks for the next page; `null` on the last one.", SALE_ID),
        "eventId": Word(
            "`{transactionId}:{event}`; of a contradiction `{transactionId}:contradicted:{version}`. Drop what you have taken in by it.",
            f"{SALE_ID}:vended",
        ),
        "event": Word("What has happened to the sale.", "vended"),
        # Requests
        "prevendId": Word(
            "What was confirmed: our id for it, good for one purchase by the same caller until `expiresAt`.",
            "ed91a449-b989-433d-a93d-acf3c2f46d70",
        ),
        "allowDuplicate": Word("Sell although an unfinished sale of yours has the same recipient and amount.", False),
        "pinned": Word("Whether it is sold as a PIN, and not to a mobile number.", False),
        "PinnedPurchase.pinned": Word("Always `true`: a PIN is wanted.", True),
        # Prevends
        "minimumAmountCents": Word("The least that has to be bought at once, in cents of a rand.", 1_000),
        "PrevendBody.minimumAmountCents": Word("The least that this meter takes, in cents of a rand; `null` where nobody said.", 1_000),
        "ProductBody.minimumAmountCents": Word("The least that is sold, in cents of a rand; `null` without a bound.", 200),
        "maximumAmountCents": Word("The most that is sold, in cents of a rand; `null` without a bound.", 500_000),
        "amountDueCents": Word("What the biller says is owed, in cents of a rand; `null` where nobody said.", 45_000),
        "expiresAt": Word("Until when it can be bought, RFC 3339 in UTC.", "2026-05-01T10:15:00.000000Z", "date-time"),
        "consumer": Word("Whom the meter or account belongs to, as the supplier says; `null` where it does not.", None),
        "ConsumerBody.name": Word("The name; masked to the first letter of each word unless the environment shows details.", "S** C**"),
        "ReceiptConsumerBody.name": Word(
            "The name; masked to the first letter of each word unless the environment shows details.", "S** C**"
        ),
        "address": Word("The address, masked likewise.", "1** S** R**"),
        "message": Word("The utility's message to the consumer; `null` where details are masked.", None),
        # Products
        "products": Word("What can be bought, in the supplier's order.", None),
        "ProductBody.merchantProductId": Word("The product, as purchases name it.", "SimAirtime0000000003"),
        "ProductBody.name": Word("The product's name.", "Telkom Airtime R50"),
        "contentCreator": Word("The network or biller behind it.", "telkom"),
        "fixedAmount": Word("Whether it has one price, which `amountCents` of a purchase has to equal; all data has.", True),
        # Receipts
        "supplierTransactionId": Word(
            "The supplier's id of the sale; `null` only where a person decided that it was vended, and the supplier has not said so yet.",
            SUPPLIERS_ID,
        ),
        "OursBody.supplierTransactionId": Word("The supplier's id that our record holds; `null` without one.", SUPPLIERS_ID),
        "receiptNumber": Word("The utility's number of the receipt.", "SIM-RCP-d61f9836"),
        "tokensDue": Word(
            "Whether there is something to type: `delivered`; `pending`: it follows, and is announced as `tokens`; `none`.",
            "delivered",
        ),
        "tokens": Word("STS tokens, in the order in which they must be typed.", None),
        "ResolutionBody.tokens": Word(
            "The tokens, or the one PIN, in the order in which they are typed. `[]`: none is due; left out: they are still fetched.",
            ["0000 0000 0000 3796 2551"],
        ),
        "kind": Word("What typing the token does to the meter.", "credit"),
        "number": Word("20 digits, to be shown in groups of four. Bearer value: never log it.", "00000000000037962551"),
        "units": Word("What was bought, in `unitType`: decimal text as the supplier quoted it.", "29.7"),
        "TokenBody.units": Word("What this token carries, in kWh: decimal text as the supplier quoted it; `null` on a key change.", "29.7"),
        "unitType": Word("The unit of `units`, as the supplier writes it; kWh where it is `null`.", "KWH"),
        "pin": Word("The PIN of what is pinned, and of a voucher. Bearer value: never log it.", None),
        "serialNumber": Word("The serial number of a PIN or voucher.", None),
        "expiryDate": Word("Until when a PIN or voucher is good, as the supplier writes it.", None),
        "meter": Word("The meter's STS settings; `null` where there is no meter.", None),
        "supplierGroupCode": Word("STS supplier group code (SGC).", "000001"),
        "keyRevisionNumber": Word("STS key revision number (KRN).", "1"),
        "tariffIndex": Word("STS tariff index (TI).", "01"),
        "tokenTechnology": Word("STS token technology (TT).", "02"),
        "algorithm": Word("STS encryption algorithm (EA).", "07"),
        "charges": Word("Fixed costs and arrears that were taken from the amount.", None),
        "description": Word("What the charge is for.", "Arrears"),
        "instructions": Word("What to tell the customer.", "Type the tokens in the order in which they are printed."),
        # Problems
        "type": Word("Which problem it is. It leads to its page, at the root of the function.", "/problems/meter-unknown"),
        "title": Word("The problem in two or three words.", "Meter unknown"),
        "ProblemBody.status": Word("The HTTP status of this answer.", 422),
        "ExplainedBody.status": Word("The HTTP status of its answers.", 422),
        "detail": Word(
            "What is the matter, in words of ours; never the supplier's.", "No utility knows this meter number, or it is blocked."
        ),
        "retry": Word("What may be sent next.", "change"),
        "instance": Word("Your own sale that this is about: its path, as in `Location`.", f"/transactions/{SALE_ID}", "uri-reference"),
        "retryAfterSeconds": Word("How many seconds to wait before that.", 30),
        "errors": Word("Every field at fault; the first hundred.", None),
        "field": Word("The field's JSON path, such as `tokens.0`; empty for the body as a whole.", "meterNumber"),
        "ErrorBody.message": Word("What is wrong with it.", "must be 11 or 13 digits"),
        "file": Word("The settlement file's name.", _FILE),
        "reason": Word("Why the file is not believed.", "the file breaks the format"),
        "faults": Word("Where the file breaks the format; the first ten. None where it cannot be read.", None),
        "notTaken": Word(
            "Files that may be meant for settlement files and are not taken: the first 100. Left out where there are none.", None
        ),
        "moreNotTaken": Word("How many more such files there are; left out where there are none.", 12),
        "NotTakenBody.name": Word("The file's name.", f"{_FILE}.gz"),
        "NotTakenBody.reason": Word("Why it is not taken.", "the name does not end in .txt"),
        "notes": Word("Forms of the file that were read all the same; left out where there are none.", None),
        "FileNoteBody.line": Word("The first line that has it, counted from 1.", 10),
        "FileNoteBody.message": Word("What was read all the same.", "holds nothing, and stands behind the trailer"),
        "lines": Word("How many lines have it.", 1),
        "ReportBody.refused": Word("Why the last run refused the day; left out where it did not.", None),
        "ListedDayBody.refused": Word("That the last run refused the day; left out where it did not.", True),
        "FileFaultBody.line": Word("The line, counted from 1.", 2),
        "FileFaultBody.field": Word("The field of the line, counted from 0; `null` where it is the line as a whole.", 5),
        "FileFaultBody.name": Word("The field's name; `null` likewise.", "amount"),
        "FileFaultBody.message": Word("What is wrong there.", "is not an amount"),
        "problems": Word("All of them, in the order of their statuses.", None),
        "when": Word("When it happens, in Markdown.", "The meter number is well formed, and no utility sells to it."),
        "whatToDo": Word("What to do then, in Markdown.", "Release the money. Let the customer compare the number with the meter."),
        # Health
        "HealthBody.status": Word("Always `ok`: the function runs.", "ok"),
        "environment": Word("Which environment this is.", "local"),
        "mode": Word("Where sales go: to the supplier, or to the simulated one.", "simulated"),
        # Sweeps
        "examined": Word("Sales that were looked at.", 3),
        "vended": Word("Of these, proven vended.", 1),
        "rejected": Word("Of these, proven not vended.", 1),
        "stillInDoubt": Word("Of these, still unproven.", 1),
        "needsReview": Word("Whether a person has to decide.", False),
        "SweptBody.needsReview": Word("Of these, newly on a person's list.", 0),
        "announced": Word("Sales of which events were published that had not been.", 2),
        "left": Word("How many sales wait for the next sweep, at the least.", 0),
        "SettledDaysBody.left": Word("Days for which there was no time.", [DAY]),
        # Dossiers
        "requestId": Word("The id under which we asked the supplier.", "ce9c9927-2f89-4fe4-9824-e8a6f01ec8ee"),
        "caller": Word("Who bought.", None),
        "issuer": Word("Who vouched for the caller.", "https://issuer.example"),
        "subject": Word("The caller's name with that issuer; long runs of digits are masked.", "wallet"),
        "idempotencyKey": Word("The caller's name for the purchase; long runs of digits are masked.", "order-7"),
        "day": Word("The business day in South Africa.", DAY, "date"),
        "signOfVend": Word("Whether the supplier ever said something that only follows a vend: then its silence proves nothing.", True),
        "attempts": Word("How often it was tried to end the doubt.", 0),
        "nextTryAt": Word("When that is tried next, RFC 3339 in UTC; `null` where nothing is left to do.", None, "date-time"),
        "history": Word("What has happened, oldest first.", None),
        "answers": Word("The supplier's raw answers, oldest first.", None),
        "more": Word("Whether there are others, older than these.", False),
        "at": Word("When, RFC 3339 in UTC.", _AT, "date-time"),
        "what": Word("What has happened.", "vended"),
        "by": Word("Who or what brought it about.", "reprint"),
        "PauseBody.by": Word("The operator, or the brake itself.", "operator@example.com"),
        "PausingBody.by": Word("The operator.", "operator@example.com"),
        "ClosedBody.by": Word("The operator.", "operator@example.com"),
        "note": Word("Why, or what was said. Long runs of digits are masked.", "Seen in the supplier's portal"),
        "source": Word("Which call was answered.", "reprint"),
        "receivedAt": Word("When the answer came, RFC 3339 in UTC.", _AT, "date-time"),
        "AnswerBody.status": Word("The answer's HTTP status.", 200),
        "contentType": Word("The answer's content type.", "application/json; charset=utf-8"),
        "sizeBytes": Word("How large the answer was, in bytes; at most 64 KiB of it are kept.", 808),
        "sha256": Word("The SHA-256 of all of it.", SHA256),
        "text": Word(
            "What is harmless in it; whole with `reveal=tokens`; `null` where it is no JSON and not revealed.",
            '{\n "transactionId": "d61f9836-322f-5cbd-9b3a-9f759ab95573",\n "additionalDetails": {\n  "units": 29.7\n }\n}',
        ),
        # Decisions
        "ResolutionBody.version": Word("The version of the sale that was looked at.", 3),
        "ResolutionBody.state": Word("How the sale in doubt ended; left out where only tokens are added.", "vended"),
        "decision": Word("What was decided: `accepted`, `written-off` or `corrected`.", "accepted"),
        "paused": Word("The services that are not sold.", ["airtime"]),
        "PausedBody.reason": Word("Why; `null` where nothing is paused.", "The network is away"),
        "PauseBody.reason": Word("Why.", "The network is away"),
        "PausingBody.reason": Word("Why.", "The network is away"),
        "SellingBody.reason": Word("Why. Long runs of digits are masked.", "The network is away"),
        "until": Word(
            "When it ends by itself, RFC 3339; `null`: when somebody decides otherwise.", "2026-05-01T12:00:00.000000Z", "date-time"
        ),
        "pauses": Word("Each service that is paused.", None),
        "decisions": Word("What people decided about the brake: the last 50 of 400 days, newest first.", None),
        # Settled days
        "status": Word("`open`, or how it was decided.", "open"),
        "id": Word("The discrepancy: the same whenever the same difference is found again.", DISCREPANCY_ID),
        "DifferenceBody.kind": Word("What differs.", "amount_differs"),
        "AgedDifferenceBody.kind": Word("What differs.", "amount_differs"),
        "DiscrepancyBody.kind": Word("What differs.", "amount_differs"),
        "severity": Word("How grave it is.", "critical"),
        "ours": Word("Our side; `null` where we have none.", None),
        "theirs": Word("The supplier's side; `null` where it has none.", None),
        "earlierClosures": Word("How it was closed before, while it was another difference: a closure covers exactly what was seen.", None),
        "closure": Word("What was decided about it; `null` while it is open.", None),
        "ageDays": Word("How old it is, in days.", 1),
        "recipient": Word("The last four digits of the meter, account or number; `null` for a PIN or voucher.", "*8901"),
        "alsoHeldBy": Word("The other sale that holds the same supplier's id.", OTHER_SALE_ID),
        "line": Word("The line of the file, counted from 1.", 2),
        "TheirsBody.supplierTransactionId": Word("The supplier's id of its sale.", SUPPLIERS_ID),
        "merchantTransactionId": Word("The id under which we asked, as the file has it.", "ce9c9927-2f89-4fe4-9824-e8a6f01ec8ee"),
        "TheirsBody.status": Word("The file's status of it.", "Successful"),
        "productName": Word("The product, as the file has it.", "Electricity"),
        "TheirsBody.source": Word("Which answer contradicts the sale.", "reprint"),
        "said": Word("What it said.", "supplier id *5573"),
        "SettledDayBody.status": Word("How the day stands.", "balanced"),
        "ReportBody.status": Word("How the day stands, now that people have decided.", "balanced"),
        "GlanceBody.status": Word("How the day stands; `null` where it was never settled.", "balanced"),
        "ListedDayBody.status": Word("How the day stands; `null` where it was only refused.", "balanced"),
        "SettledDayBody.file": Word("The file that was believed; `null` where it has not come.", None),
        "ReportBody.file": Word("The file that was believed; `null` where it has not come.", None),
        "FileBody.name": Word("The file's name.", _FILE),
        "matched": Word("What is the same sale on both sides.", None),
        "rows": Word("How many sales or lines.", 8),
        "cents": Word("Their value, in cents of a rand.", 71_000),
        "totalCents": Word("Their value, in cents of a rand.", 71_000),
        "carriedOut": Word("Sales of this day that another day's file bills.", None),
        "carriedIn": Word("Sales of another day that this day's file bills.", None),
        "soldOn": Word("The business day of the sale.", DAY, "date"),
        "billedOn": Word("The day whose file bills it; `null` while that file is not there.", "2026-05-02", "date"),
        "discrepancies": Word("Every difference, for a person to decide on.", None),
        "conservation": Word("The books of each service.", None),
        "healed": Word("Sales in doubt that the files brought to their end.", None),
        "open": Word("Sales of the day of which the files prove nothing.", None),
        "tokensToRecover": Word("Vended sales whose token or PIN never reached us.", None),
        "SettledDayBody.notReadable": Word("The day's sales that cannot be read; only where there are such: it stays provisional.", None),
        "ReportBody.notReadable": Word("The day's sales that cannot be read; only where there are such: it stays provisional.", None),
        "leftOut": Word("How many entries of each list are not listed one by one.", {"discrepancies": 12}),
        "fileSuccessful": Word("What the file bills.", None),
        "ourVended": Word("What we sold.", None),
        "ConservationBody.carriedOut": Word("Sold on this day and billed on another.", None),
        "ConservationBody.carriedIn": Word("Billed on this day and sold on another.", None),
        "missingHere": Word("Lines that name no sale of ours.", None),
        "billedThoughRejected": Word("Lines that bill what we call rejected.", None),
        "extraLines": Word("Lines that bill a sale once more.", None),
        "missingAtSupplier": Word("Sales that no file bills.", None),
        "differences": Word("What billed lines are above our amounts.", None),
        "residue": Word("What all that leaves unexplained: 0.", None),
        "days": Word("The days that were settled, oldest first.", None),
        "DaysBody.days": Word("The days, newest first.", None),
        "refused": Word("Days of which nothing was changed, and why.", None),
        # Reports
        "totals": Word("The day by service.", None),
        "sold": Word("What we sold.", None),
        "billed": Word("What the file bills.", None),
        "carried": Word("What waits for another day's file.", None),
        "onlyOurs": Word("What only we have.", None),
        "onlyTheirs": Word("What only the supplier has.", None),
        "now": Word("What is open of any day, at this moment.", None),
        "asOf": Word("That moment, RFC 3339 in UTC.", _AT, "date-time"),
        "atLeast": Word("Whether there are more open sales than are listed.", False),
        "inDoubt": Word("The sales in doubt.", None),
        "byAge": Word("How many of each age, youngest first.", None),
        "age": Word("How old they are.", "under an hour"),
        "sales": Word("One by one, oldest first.", None),
        "ageHours": Word("How old it is, in whole hours.", 3),
        "lastDays": Word("The last 30 days, oldest first.", None),
        "openDiscrepancies": Word("Differences of that day that nobody has decided on.", 0),
    }
)
