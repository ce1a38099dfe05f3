"""Which values the schema allows in a column."""

import math

from tensorflow_metadata.proto.v0 import schema_pb2


def known_values(feature: schema_pb2.Feature | None, schema: schema_pb2.Schema) -> list[str]:
    """The texts that the schema allows in the column."""
    if feature is None:
        return []
    if feature.WhichOneof("domain_info") == "domain":
        return [value for domain in schema.string_domain if domain.name == feature.domain for value in domain.value]
    if feature.WhichOneof("domain_info") == "bool_domain":
        return [feature.bool_domain.true_value, feature.bool_domain.false_value]
    return list(feature.string_domain.value)


def bounds(feature: schema_pb2.Feature | None) -> tuple[float, float]:
    """The least and the largest number that the schema allows, infinite where it does not say."""
    domain = feature.WhichOneof("domain_info") if feature is not None else None
    if feature is None or domain not in ("int_domain", "float_domain"):
        return -math.inf, math.inf
    said = getattr(feature, domain)
    return said.min if said.HasField("min") else -math.inf, said.max if said.HasField("max") else math.inf


def range_words(feature: schema_pb2.Feature | None) -> str:
    """`0 to 1`, or `0 and above`."""
    low, high = bounds(feature)
    if math.isinf(high):
        return f"{low:.6g} and above"
    return f"{high:.6g} and below" if math.isinf(low) else f"{low:.6g} to {high:.6g}"
