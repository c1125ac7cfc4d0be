"""The operations of `/api/v1`: one typed row each, from which routes, parameter checks and OpenAPI are made."""

import msgspec

from umbel.web import query, queue_schema, schema


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One GET of the API."""

    path: str
    #: operationId, and the name under which `api.V1.handlers` lists the handler.
    name: str
    summary: str
    #: What a 200 carries.
    answers: tuple[type, ...]
    query: type[msgspec.Struct] = query.NoQuery
    #: Path parameter -> what it is.
    path_parameters: dict[str, str] = {}
    media_type: str = "application/json"
    #: The answer is a document of its own, without a schema.
    is_free: bool = False


PREFIX = "/api/v1"

OPERATIONS = (
    Operation(
        path="/tasks", name="listTasks", summary="A page of tasks", answers=(schema.TaskList,),
        query=query.TaskListQuery,
    ),
    Operation(
        path="/tasks/{uuid}", name="getTask", summary="Everything kept of one task",
        answers=(schema.TaskDetailOut,), path_parameters={"uuid": "Task id."},
    ),
    Operation(
        path="/facets", name="getFacets", summary="Tasks by state, name and worker", answers=(schema.Facets,),
        query=query.FacetQuery,
    ),
    Operation(path="/workers", name="listWorkers", summary="Workers and totals", answers=(schema.WorkerList,)),
    Operation(
        path="/workers/{hostname}", name="getWorker", summary="One worker", answers=(schema.WorkerOut,),
        path_parameters={"hostname": "The worker's host name, such as celery@host."},
    ),
    Operation(
        path="/rollups", name="listRollups", summary="Counts, run times and waits by time bucket",
        answers=(schema.RollupList,), query=query.RollupQuery,
    ),
    Operation(
        path="/gaps", name="listGaps", summary="Intervals in which events may have been missed",
        answers=(schema.GapList,), query=query.GapQuery,
    ),
    Operation(
        path="/queues", name="listQueues", summary="Every known queue with its figures",
        answers=(queue_schema.QueueList,),
    ),
    Operation(
        path="/queues/{name}/messages", name="listMessages", summary="Messages of a queue, looked at and left there",
        answers=(queue_schema.MessageList,), query=query.MessageQuery, path_parameters={"name": "Queue name."},
    ),
    Operation(
        path="/queues/{name}", name="getQueue", summary="One queue with its figures",
        answers=(queue_schema.QueueDetail,), path_parameters={"name": "Queue name."},
    ),
    Operation(path="/status", name="getStatus", summary="Whether this is true and current", answers=(schema.Status,)),
    Operation(
        path="/findings", name="listFindings", summary="What is wrong with the cluster or with how it is watched",
        answers=(schema.FindingList,),
    ),
    Operation(path="/settings", name="getSettings", summary="What a client must know", answers=(schema.Settings,)),
    Operation(
        path="/stream", name="stream", summary="Live changes: a snapshot, then deltas (server-sent events)",
        answers=(schema.Snapshot, schema.Delta), media_type="text/event-stream",
    ),
    Operation(path="/openapi.json", name="getOpenapi", summary="This document", answers=(), is_free=True),
)  # fmt: skip
