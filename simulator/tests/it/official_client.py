"""Reads a simulated account with HubSpot's own client. Argument: the simulator's address."""

import sys

import hubspot
from hubspot.crm import contacts, deals

client = hubspot.Client.create(access_token="sim-token", host=sys.argv[1])

# Lists, page by page, with the client's own paging.
people = client.crm.contacts.get_all(properties=["email", "firstname", "city"])
firms = client.crm.companies.get_all()
sales = client.crm.deals.get_all()
print("contacts", len(people), "companies", len(firms), "deals", len(sales))
assert all(person.id == person.properties["hs_object_id"] for person in people)
assert all(person.created_at <= person.updated_at and person.archived is False for person in people)
assert client.crm.contacts.get_all(archived=True) == []

# One record, by id and by address, and with history.
person = next(person for person in people if person.properties["email"])
assert client.crm.contacts.basic_api.get_by_id(person.id).id == person.id
by_email = client.crm.contacts.basic_api.get_by_id(person.properties["email"], id_property="email")
assert by_email.id == person.id
with_history = client.crm.contacts.basic_api.get_by_id(person.id, properties_with_history=["email"])
assert with_history.properties_with_history["email"][0].value == person.properties["email"]

# Batch read, complete and with an unknown id.
ids = [contacts.SimplePublicObjectId(id=person.id) for person in people[:100]]
request = contacts.BatchReadInputSimplePublicObjectId(properties=["email"], properties_with_history=[], inputs=ids)
batch = client.crm.contacts.batch_api.read(request)
assert batch.status == "COMPLETE"
assert {one.id for one in batch.results} == {one.id for one in people[:100]}
request.inputs = [contacts.SimplePublicObjectId(id="512")]
batch = client.crm.contacts.batch_api.read(request)
assert batch.num_errors == 1 and batch.errors[0].category == "OBJECT_NOT_FOUND"

# Search.
request = deals.PublicObjectSearchRequest(
    filter_groups=[
        deals.FilterGroup(filters=[deals.Filter(property_name="pipeline", operator="EQ", value="default")])
    ],
    sorts=["-hs_lastmodifieddate"],
    properties=["dealname", "pipeline"],
    limit=5,
)
found = client.crm.deals.search_api.do_search(request)
assert found.total > 5 and len(found.results) == 5
assert found.paging.next.after == "5"
assert all(deal.properties["pipeline"] == "default" for deal in found.results)
times = [deal.updated_at for deal in found.results]
assert times == sorted(times, reverse=True)

# Writes, one and many.
made = client.crm.contacts.basic_api.create(
    contacts.SimplePublicObjectInputForCreate(properties={"email": "Client@write.test", "city": "Ulm"})
)
assert made.properties["email"] == "client@write.test"
changed = client.crm.contacts.basic_api.update(
    "client@write.test", contacts.SimplePublicObjectInput(properties={"city": "Jena"}), id_property="email"
)
assert changed.id == made.id and changed.updated_at > made.updated_at
kept = client.crm.contacts.basic_api.get_by_id(made.id, properties_with_history=["city"])
assert [was.value for was in kept.properties_with_history["city"]] == ["Jena", "Ulm"]
rows = [
    contacts.SimplePublicObjectBatchInputUpsert(
        id=address, id_property="email", properties={"zip": "07743"}, object_write_trace_id=address
    )
    for address in ["client@write.test", "second@write.test", "no address"]
]
upserted = client.crm.contacts.batch_api.upsert(contacts.BatchInputSimplePublicObjectBatchInputUpsert(inputs=rows))
assert sorted(row.new for row in upserted.results) == [False, True]
assert upserted.num_errors == 1 and upserted.errors[0].context["objectWriteTraceId"] == ["no address"]
client.crm.contacts.basic_api.archive(made.id)
try:
    client.crm.contacts.basic_api.update(
        made.id, contacts.SimplePublicObjectInput(properties={"city": "Gera"})
    )
    raise AssertionError("an archived record was updated")
except contacts.ApiException as error:
    assert error.status == 404
try:
    client.crm.contacts.basic_api.create(
        contacts.SimplePublicObjectInputForCreate(properties={"email": "second@write.test"})
    )
    raise AssertionError("an address was taken twice")
except contacts.ApiException as error:
    assert error.status == 409 and "Existing ID" in error.body

# Definitions, pipelines, owners, schemas.
definitions = client.crm.properties.core_api.get_all("contacts").results
assert {"email", "lastmodifieddate", "hs_object_id"} <= {definition.name for definition in definitions}
stage_names = next(d for d in client.crm.properties.core_api.get_all("deals").results if d.name == "dealstage")
assert len(stage_names.options) == 7
groups = client.crm.properties.groups_api.get_all("contacts").results
assert any(group.name == "contactinformation" for group in groups)
pipelines = client.crm.pipelines.pipelines_api.get_all("deals").results
assert {stage.id for pipeline in pipelines for stage in pipeline.stages} >= {"closedwon", "closedlost"}
assert client.crm.pipelines.pipelines_api.get_by_id("deals", "default").label == "Sales Pipeline"
owners = client.crm.owners.get_all()
assert len(owners) == 21 and all(owner.user_id for owner in owners)
assert len(client.crm.owners.get_all(archived=True)) == 3
assert client.crm.schemas.core_api.get_all().results == []

# Errors.
try:
    client.crm.contacts.basic_api.get_by_id("512")
    raise AssertionError("an unknown id was found")
except contacts.ApiException as error:
    assert error.status == 404 and "resource not found" in error.body
try:
    hubspot.Client.create(access_token="wrong", host=sys.argv[1]).crm.deals.basic_api.get_page()
    raise AssertionError("a wrong token was accepted")
except deals.ApiException as error:
    assert error.status == 401 and "INVALID_AUTHENTICATION" in error.body
