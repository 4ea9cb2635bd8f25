"""What other apps call the tables and columns of the contract.

Belongs here: the names, in lower case and without what is no letter or digit. Does not belong here:
how a draft is made of them (`drafting.py`).
"""

from collections.abc import Mapping

from engagement_assets.source.contract import CUSTOMERS

# The contract's own name is tried first, then these in their order.
FILE_NAMES: Mapping[str, tuple[str, ...]] = {
    CUSTOMERS: (
        *("users", "members", "people", "persons", "accounts", "students", "profiles", "clients"),
        *("buyers", "shoppers", "subscribers", "players", "contacts", "donors", "riders"),
    ),
    "sessions": ("visits", "logins", "activity", "clicks", "log", "logs", "events"),
    "posts": (
        *("articles", "items", "content", "contents", "products", "courses", "movies", "topics"),
        *("videos", "songs", "tracks"),
    ),
    "messages": ("chats", "mails", "dms"),
    "interactions": (
        *("ratings", "views", "likes", "reactions", "comments", "votes", "events", "plays"),
        "listens",
    ),
    "connections": ("friends", "friendships", "follows", "followers", "edges", "links"),
    "transactions": (
        *(
            "payments",
            "orders",
            "purchases",
            "sales",
            "invoices",
            "receipts",
            "retail",
            "donations",
        ),
    ),
    "notifications": ("pushes", "emails", "alerts"),
    "consents": ("permissions", "optins"),
}
CUSTOMER_NAMES = (
    *("userid", "user", "memberid", "personid", "accountid", "studentid", "visitorid", "profileid"),
    *("ownerid", "authorid", "owneruserid", "buyerid", "idstudent", "clientid", "uid"),
    *("customer", "client", "member", "subscriberid", "playerid", "shopperid", "donorid", "msno"),
    *("householdkey", "householdid", "custid", "customernumber", "customerno", "cardid"),
)
TIME_NAMES = (
    *("timestamp", "time", "datetime", "date", "createdat", "creationdate", "created", "eventtime"),
    *("ts", "at", "when", "invoicedate", "orderdate", "sentat", "publishedat"),
    *("purchasedate", "transactiondate", "transdate", "paymentdate", "orderedat", "purchasedat"),
    *("eventtimestamp", "eventdate", "saledate", "happenedat"),
)
# Amounts of one piece, which a quantity multiplies.
UNIT_PRICES = ("unitprice", "priceperunit", "itemprice", "price")
QUANTITIES = ("quantity", "qty", "pieces")
COLUMN_NAMES: Mapping[str, tuple[str, ...]] = {
    "customer_id": CUSTOMER_NAMES,
    "signed_up_at": (
        *("signupdate", "signedup", "signup", "registeredat", "registrationdate", "registered"),
        *("registrationtime", "dateofregistration", "joinedat", "joindate", "joined", "joinedon"),
        *("membersince", "customersince", "activesince", "accountcreated", "firstseen"),
        *("firstpurchase", "firstorder", *TIME_NAMES),
    ),
    "occurred_at": TIME_NAMES,
    "recorded_at": ("loadedat", "ingestedat", "updatedat", "syncedat"),
    "duration_seconds": ("duration", "seconds", "timespent", "length", "sessionlength"),
    "session_id": ("session", "visitid", "sid"),
    "post_id": (
        *("itemid", "contentid", "articleid", "productid", "courseid", "movieid", "stockcode"),
        *("videoid", "songid", "trackid", "sku"),
    ),
    "category": ("tags", "topic", "genre", "genres", "subject", "type", "productcategory"),
    "text": ("body", "title", "comment", "description"),
    "location": ("region", "country", "city", "userregion", "state"),
    "gender": ("sex",),
    "birth_date": ("birthday", "dateofbirth", "dob"),
    "device": ("useragent", "platform", "os"),
    "kind": ("eventtype", "type", "action"),
    "transaction_id": ("orderid", "invoiceid", "paymentid", "purchaseid", "saleid", "receiptid"),
    "amount_usd": (
        *("amount", "total", "value", "revenue", "ordertotal", "totalprice", "totalamount"),
        *("amountpaid", "paid", "grandtotal", "sales", "salesvalue", "netamount", "grossamount"),
        *("purchaseamount", "sum", *UNIT_PRICES),
    ),
    "other_customer_id": ("friendid", "followerid", "targetid", "touserid"),
    "recipient_id": ("touserid", "receiverid", "targetid"),
}
