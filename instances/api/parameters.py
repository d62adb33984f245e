"""Parameters that several operations take, for the OpenAPI document."""

from drf_spectacular.utils import OpenApiParameter

_ETAGS = {
    "type": "string",
    "pattern": '^([*]|(W/)?"[!#-~]{1,40}"(, (W/)?"[!#-~]{1,40}"){0,9})$',
    "examples": ['"3"'],
}
IF_MATCH = OpenApiParameter(
    "If-Match",
    _ETAGS,
    OpenApiParameter.HEADER,
    description="ETags, or *: 412 PRECONDITION_FAILED if the instance is none of these any more; "
    'a tag that a proxy has changed on the way (W/"3", "3-gzip") counts as "3"',
)
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match", _ETAGS, OpenApiParameter.HEADER, description="ETags of earlier answers"
)
UNLESS = OpenApiParameter(
    "If-None-Match",
    _ETAGS,
    OpenApiParameter.HEADER,
    description="ETags, or *: 412 PRECONDITION_FAILED if the instance is one of these",
)
ETAG = OpenApiParameter(
    "ETag",
    str,
    OpenApiParameter.HEADER,
    response=[200, 201],
    description='the instance\'s version, in quotes: "3"',
)
ID = [OpenApiParameter("id", str, OpenApiParameter.PATH, description="inst_…")]
