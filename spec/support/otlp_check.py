"""Reads bodies of OTLP/JSON, one a line, as Protocol Buffers' own JSON parser does, with
unknown fields refused, and prints what is wrong. The messages are those of
opentelemetry-proto: trace/v1/trace.proto, common/v1/common.proto, resource/v1/resource.proto
and collector/trace/v1/trace_service.proto. Ids are hexadecimal in OTLP and base64 in the
general mapping: they are checked, and changed, before. Prints "ok N spans" at the end;
exits with 77 where Python has no protobuf.
"""
import base64
import json
import re
import sys

try:
    from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
except ImportError:
    sys.exit(77)

MESSAGES = {
    "ExportTraceServiceRequest": [("resource_spans", 1, "*ResourceSpans")],
    "ResourceSpans": [("resource", 1, "Resource"), ("scope_spans", 2, "*ScopeSpans"),
                      ("schema_url", 3, "string")],
    "ScopeSpans": [("scope", 1, "InstrumentationScope"), ("spans", 2, "*Span"),
                   ("schema_url", 3, "string")],
    "Resource": [("attributes", 1, "*KeyValue"), ("dropped_attributes_count", 2, "uint32")],
    "InstrumentationScope": [("name", 1, "string"), ("version", 2, "string"),
                             ("attributes", 3, "*KeyValue"),
                             ("dropped_attributes_count", 4, "uint32")],
    "KeyValue": [("key", 1, "string"), ("value", 2, "AnyValue")],
    "AnyValue": [("string_value", 1, "string"), ("bool_value", 2, "bool"),
                 ("int_value", 3, "int64"), ("double_value", 4, "double"),
                 ("array_value", 5, "ArrayValue"), ("kvlist_value", 6, "KeyValueList"),
                 ("bytes_value", 7, "bytes")],
    "ArrayValue": [("values", 1, "*AnyValue")],
    "KeyValueList": [("values", 1, "*KeyValue")],
    "Span": [("trace_id", 1, "bytes"), ("span_id", 2, "bytes"), ("trace_state", 3, "string"),
             ("parent_span_id", 4, "bytes"), ("flags", 16, "fixed32"), ("name", 5, "string"),
             ("kind", 6, "int32"), ("start_time_unix_nano", 7, "fixed64"),
             ("end_time_unix_nano", 8, "fixed64"), ("attributes", 9, "*KeyValue"),
             ("dropped_attributes_count", 10, "uint32"), ("events", 11, "*Event"),
             ("dropped_events_count", 12, "uint32"), ("dropped_links_count", 14, "uint32"),
             ("status", 15, "Status")],
    "Event": [("time_unix_nano", 1, "fixed64"), ("name", 2, "string"),
              ("attributes", 3, "*KeyValue"), ("dropped_attributes_count", 4, "uint32")],
    "Status": [("message", 2, "string"), ("code", 3, "int32")],
}


def request_class():
    file = descriptor_pb2.FileDescriptorProto(name="otlp.proto", package="o", syntax="proto3")
    field_type = descriptor_pb2.FieldDescriptorProto
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        if name == "AnyValue":
            message.oneof_decl.add(name="value")
        for field, number, kind in fields:
            one = message.field.add(name=field, number=number)
            one.label = field_type.LABEL_REPEATED if kind[0] == "*" else field_type.LABEL_OPTIONAL
            kind = kind.lstrip("*")
            if kind in MESSAGES:
                one.type, one.type_name = field_type.TYPE_MESSAGE, ".o." + kind
            else:
                one.type = getattr(field_type, "TYPE_" + kind.upper())
            if name == "AnyValue":
                one.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    descriptor = pool.FindMessageTypeByName("o.ExportTraceServiceRequest")
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(pool).GetPrototype(descriptor)


def no_twins(pairs):
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), "a name stands twice in an object"
    return dict(pairs)


def unhex(span, name, digits, may_miss=False):
    if may_miss and name not in span:
        return
    assert re.fullmatch("[0-9a-f]{%d}" % digits, span[name]), name
    assert span[name].strip("0"), name + " is zero"
    span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()


def check_span(span):
    unhex(span, "traceId", 32)
    unhex(span, "spanId", 16)
    unhex(span, "parentSpanId", 16, True)
    assert span["kind"] in (1, 2, 3, 4, 5) and isinstance(span["kind"], int)
    assert span["status"].get("code", 0) in (0, 1, 2)
    assert span["name"], "no name"
    for name in "startTimeUnixNano", "endTimeUnixNano":
        assert isinstance(span[name], str) and span[name].isdigit(), name
    assert int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"])
    keys = [pair["key"] for pair in span["attributes"]]
    assert len(keys) == len(set(keys)), "an attribute stands twice"


def main():
    cls, count = request_class(), 0
    for line in sys.stdin.buffer:
        body = json.loads(line.decode("utf-8"), object_pairs_hook=no_twins)
        for resource in body["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    check_span(span)
                    count += 1
        message = cls()
        json_format.ParseDict(body, message, ignore_unknown_fields=False)
        assert message.ByteSize() > 0
    print("ok %d spans" % count)


main()
