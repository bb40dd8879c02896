"""simple-salesforce against the sandbox: every login it has, describe, long queries, records, both Bulk APIs."""

import csv
import io
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce, SalesforceExpiredSession, format_soql
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceMalformedRequest,
    SalesforceResourceNotFound,
)

from announcement import CERTIFICATE, SALESFORCE, equal, true

VERSION = "62.0"
SANDBOX = urlsplit(SALESFORCE["login_url"]).netloc


class ToSandbox(HTTPAdapter):
    """Takes calls to Salesforce's own hosts, which the client insists on, to the sandbox."""

    def send(self, request, *arguments, **options):
        asked = urlsplit(request.url)
        request.headers["Host"] = asked.netloc
        request.url = asked._replace(netloc=SANDBOX).geturl()
        return super().send(request, *arguments, **options)


def session():
    """A session as a user with a private certificate has it."""
    made = requests.Session()
    made.trust_env = False
    made.verify = CERTIFICATE
    for host in ("login", "test", "acme.my"):
        made.mount(f"https://{host}.salesforce.com/", ToSandbox())
    return made


def logins():
    """Every way in that the client knows; gives the last connection."""
    user = {"username": SALESFORCE["username"], "password": SALESFORCE["password"]}
    app = {"consumer_key": SALESFORCE["client_id"], "consumer_secret": SALESFORCE["client_secret"]}
    ways = {
        "SOAP": {**user, "security_token": SALESFORCE["security_token"]},
        "SOAP with an organization": {**user, "organizationId": "00D000000000000"},
        "username and password": {**user, **app},
        "JWT bearer": {
            "username": SALESFORCE["username"],
            "consumer_key": SALESFORCE["client_id"],
            "privatekey": SALESFORCE["jwt_private_key"],
        },
        "client credentials": {**app, "domain": "acme.my"},
    }
    for name, way in ways.items():
        connection = Salesforce(session=session(), version=VERSION, **way)
        equal(connection.sf_instance, SANDBOX, name)
        true(connection.limits()["DailyApiRequests"]["Remaining"] > 0, name)
    try:
        Salesforce(session=session(), version=VERSION, **{**user, "password": "wrong", "security_token": ""})
        raise AssertionError("a wrong password was taken")
    except SalesforceAuthenticationFailed as refused:
        equal(refused.code, "INVALID_LOGIN", "a wrong password")
    return connection


def describe(sf):
    """Objects and fields."""
    names = {entry["name"] for entry in sf.describe()["sobjects"]}
    true({"Account", "Vehicle__c", "Depot__c"} <= names, "the objects are listed")
    fields = {field["name"]: field for field in sf.Vehicle__c.describe()["fields"]}
    equal(fields["Depot__c"]["referenceTo"], ["Depot__c"], "a lookup")
    true(sf.Vehicle__c.describe_layout("012000000000000AAA")["detailLayoutSections"], "a layout")
    true(sf.Vehicle__c.metadata()["objectDescribe"]["name"] == "Vehicle__c", "the basic description")


def queries(sf):
    """Past 2,000 rows, by pages and all at once."""
    total = sf.query("SELECT COUNT() FROM Vehicle__c")["totalSize"]
    true(total > 2000, f"{total} vehicles are more than a page")
    first = sf.query("SELECT Id, Name, Depot__r.Name FROM Vehicle__c")
    equal((len(first["records"]), first["done"], first["totalSize"]), (2000, False, total), "the first page")
    second = sf.query_more(first["nextRecordsUrl"], identifier_is_url=True)
    true(second["records"], "the second page")
    ids = {row["Id"] for row in sf.query_all_iter("SELECT Id FROM Vehicle__c")}
    equal(len(ids), total, "all rows")
    name = first["records"][0]["Name"]
    found = sf.query(format_soql("SELECT Id FROM Vehicle__c WHERE Name = {}", name))
    true(found["totalSize"] >= 1, "a quoted literal")
    try:
        sf.query("SELECT Nope FROM Vehicle__c")
        raise AssertionError("an unknown field was taken")
    except SalesforceMalformedRequest as refused:
        equal(refused.content[0]["errorCode"], "INVALID_FIELD", "an unknown field")
    return total


def records(sf):
    """One record's life, and what replication says of it."""
    start = datetime.now(timezone.utc) - timedelta(minutes=5)
    made = sf.Depot__c.create({"Name": "simple depot", "Code__c": "SIMPLE-1", "Capacity__c": 3})
    true(made["success"], "created")
    key = made["id"]
    equal(sf.Depot__c.update(key, {"Capacity__c": 4}), 204, "updated")
    equal(sf.Depot__c.get(key)["Capacity__c"], 4.0, "read")
    equal(sf.Depot__c.get_by_custom_id("Code__c", "SIMPLE-1")["Id"], key, "read by external id")
    equal(sf.Depot__c.upsert("Code__c/SIMPLE-1", {"Name": "renamed"}), 200, "upserted, there")
    equal(sf.Depot__c.upsert("Code__c/SIMPLE-2", {"Name": "second"}), 201, "upserted, new")
    hits = sf.search("FIND {renamed} RETURNING Depot__c(Id, Name)")["searchRecords"]
    equal([hit["Id"] for hit in hits], [key], "searched")
    end = datetime.now(timezone.utc) + timedelta(minutes=2)
    true(key in sf.Depot__c.updated(start, end)["ids"], "told as updated")
    equal(sf.Depot__c.delete(key), 204, "deleted")
    gone = [entry["id"] for entry in sf.Depot__c.deleted(start, end)["deletedRecords"]]
    true(key in gone, "told as deleted")
    try:
        sf.Depot__c.get(key)
        raise AssertionError("a deleted record was read")
    except SalesforceResourceNotFound as refused:
        equal(refused.content[0]["errorCode"], "ENTITY_IS_DELETED", "a deleted record")
    all_rows = sf.query(f"SELECT Id, IsDeleted FROM Depot__c WHERE Id = '{key}'", include_deleted=True)
    equal(all_rows["records"][0]["IsDeleted"], True, "the recycle bin")
    together = sf.restful(
        "composite",
        method="POST",
        json={
            "compositeRequest": [
                {
                    "method": "POST",
                    "url": f"/services/data/v{VERSION}/sobjects/Depot__c",
                    "referenceId": "made",
                    "body": {"Name": "composite"},
                },
                {
                    "method": "DELETE",
                    "url": f"/services/data/v{VERSION}/sobjects/Depot__c/@{{made.id}}",
                    "referenceId": "gone",
                },
            ]
        },
    )
    equal([step["httpStatusCode"] for step in together["compositeResponse"]], [201, 204], "a composite")


def bulk_one(sf, total):
    """Bulk API 1.0: JSON jobs. The client looks every five seconds, so they must not queue for long."""
    quick = sf.session.post(f"{SALESFORCE['login_url']}/__sandbox/settings", json={"bulk_queue_ms": 0})
    quick.raise_for_status()
    rows = sf.bulk.Vehicle__c.query("SELECT Id, CreatedDate FROM Vehicle__c", lazy_operation=False, wait=0.1)
    equal(len(rows), total, "bulk 1.0 rows")
    true(isinstance(rows[0]["CreatedDate"], int), "bulk 1.0 moments are numbers")
    given = [{"Name": f"bulk one {n}", "Code__c": f"B1-{n}"} for n in range(450)]
    made = sf.bulk.Depot__c.insert(given, batch_size=200, use_serial=True)
    equal((len(made), all(row["created"] for row in made)), (450, True), "bulk 1.0 insert")
    ids = [row["id"] for row in made]
    done = sf.bulk.Depot__c.update([{"Id": key, "Capacity__c": 1} for key in ids[:10]])
    true(all(row["success"] for row in done), "bulk 1.0 update")
    done = sf.bulk.Depot__c.upsert([{"Code__c": "B1-0", "Name": "again"}], "Code__c")
    equal((done[0]["created"], done[0]["id"]), (False, ids[0]), "bulk 1.0 upsert")
    wrong = sf.bulk.Depot__c.insert([{"Name": "x" * 300}])
    equal(wrong[0]["errors"][0]["statusCode"], "STRING_TOO_LONG", "bulk 1.0 refusal")
    details = sf.bulk.submit_dml(
        "Depot__c", "delete", [{"Id": key} for key in ids[:20]], include_detailed_results=True
    )
    true(all(row["success"] for row in details), "bulk 1.0 delete")
    done = sf.bulk.Depot__c.hard_delete([{"Id": key} for key in ids[20:]])
    true(all(row["success"] for row in done), "bulk 1.0 hard delete")
    left = sf.query("SELECT COUNT() FROM Depot__c WHERE Code__c LIKE 'B1-%'")["totalSize"]
    equal(left, 0, "nothing is left of bulk 1.0")


def bulk_two(sf, total):
    """Bulk API 2.0: queries by pages, ingest with its three results."""
    pages = list(sf.bulk2.Vehicle__c.query("SELECT Id, Name FROM Vehicle__c", max_records=1000, wait=0.2))
    rows = [row for page in pages for row in csv.DictReader(io.StringIO(page))]
    equal((len(rows), len(pages) > 2), (total, True), "bulk 2.0 rows")
    given = [{"Name": f"bulk two {n}", "Code__c": f"B2-{n}", "Capacity__c": str(n)} for n in range(300)]
    done = sf.bulk2.Depot__c.insert(records=given, wait=0.2)
    equal((done[0]["numberRecordsProcessed"], done[0]["numberRecordsFailed"]), (300, 0), "bulk 2.0 insert")
    made = list(csv.DictReader(io.StringIO(sf.bulk2.Depot__c.get_successful_records(done[0]["job_id"]))))
    equal((len(made), made[0]["sf__Created"]), (300, "true"), "bulk 2.0 successes")
    done = sf.bulk2.Depot__c.upsert(
        records=[{"Code__c": "B2-1", "Name": "again"}, {"Code__c": "B2-2", "Name": "x" * 300}],
        external_id_field="Code__c",
        wait=0.2,
    )
    equal(done[0]["numberRecordsFailed"], 1, "bulk 2.0 upsert")
    failed = sf.bulk2.Depot__c.get_failed_records(done[0]["job_id"])
    true("STRING_TOO_LONG" in failed, "bulk 2.0 failures")
    done = sf.bulk2.Depot__c.delete(records=[{"Id": row["sf__Id"]} for row in made], wait=0.2)
    equal(done[0]["numberRecordsFailed"], 0, "bulk 2.0 delete")


def endings(sf):
    """A session that was ended is refused in the words that the client knows."""
    sf.session.post(f"{SALESFORCE['login_url']}/__sandbox/expire-sessions").raise_for_status()
    ended = Salesforce(
        session=session(), version=VERSION, session_id=sf.session_id, instance_url=SALESFORCE["instance_url"]
    )
    try:
        ended.query("SELECT Id FROM Account LIMIT 1")
        raise AssertionError("an ended session was taken")
    except SalesforceExpiredSession as refused:
        equal(refused.content[0]["errorCode"], "INVALID_SESSION_ID", "an ended session")


def main():
    """All of it, in order."""
    sf = logins()
    describe(sf)
    total = queries(sf)
    records(sf)
    bulk_one(sf, total)
    bulk_two(sf, total)
    endings(sf)
    print(f"simple-salesforce: 5 logins, {total} rows by REST and both Bulk APIs, records, replication")


main()
