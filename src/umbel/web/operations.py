"""The operations of `/api/v1`: one typed row each, from which routes, parameter checks and OpenAPI are made."""

import msgspec

from umbel.web import (
    control_schema,
    inspection_schema,
    query,
    queue_schema,
    retry_schema,
    revocation_schema,
    schema,
)


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path of the API."""

    path: str
    #: Anything but GET is a command: never in read-only mode, written into the audit.
    method: str = "GET"
    #: operationId, and the name under which `api.V1.handlers` lists the handler.
    name: str
    summary: str
    #: What a 200 carries.
    answers: tuple[type, ...]
    query: type[msgspec.Struct] = query.NoQuery
    #: The JSON object that a command takes; it may be left out where every field has a default.
    body: type[msgspec.Struct] | None = None
    #: Path parameter -> what it is.
    path_parameters: dict[str, str] = {}
    media_type: str = "application/json"
    #: The answer is a document of its own, without a schema.
    is_free: bool = False

    @property
    def is_command(self) -> bool:
        """It may change a worker or a task."""
        return self.method != "GET"


def _command(path: str, name: str, summary: str, body: type[msgspec.Struct], **parameters: str) -> Operation:
    """A POST that answers what came of the command."""
    return Operation(
        path=path, method="POST", name=name, summary=summary, answers=(control_schema.CommandOut,), body=body,
        path_parameters=parameters,
    )  # fmt: skip


PREFIX = "/api/v1"

_UUID = "Task id."
_JOB = "Id of the bulk revocation."
_HOSTNAME = "The worker's host name, such as celery@host."

#: What is below a task or a worker comes before the task or the worker itself, whose name may hold slashes.
OPERATIONS = (
    Operation(
        path="/tasks/{uuid}/revocation", name="getRevocation", summary="What came of the latest revocation of a task",
        answers=(control_schema.RevocationOut,), path_parameters={"uuid": _UUID},
    ),
    _command("/tasks/{uuid}/revocation", "revokeTask", "Revoke a task", control_schema.Revocation, uuid=_UUID),
    _command("/tasks/{uuid}/abortion", "abortTask", "Mark a task as to be aborted", control_schema.Plain, uuid=_UUID),
    Operation(
        path="/tasks/{uuid}/retry", name="getRetry",
        summary="Whether a task can be sent once more with the arguments that it received, and from where they are",
        answers=(retry_schema.RetryOut,), path_parameters={"uuid": _UUID},
    ),
    Operation(
        path="/tasks/{uuid}/retry", method="POST", name="retryTask",
        summary="Send a task that has ended once more, with what it received or with edited arguments",
        answers=(retry_schema.RetriedOut,), body=retry_schema.RetryIn, path_parameters={"uuid": _UUID},
    ),
    Operation(
        path="/tasks", method="POST", name="callTask", summary="Call a task, and wait for its result if asked to",
        answers=(control_schema.CalledOut,), body=control_schema.TaskCallIn,
    ),
    Operation(
        path="/workers/{hostname}/control", name="getWorkerControl", summary="What can be changed at a worker",
        answers=(control_schema.WorkerControl,), path_parameters={"hostname": _HOSTNAME},
    ),
    Operation(
        path="/workers/{hostname}/inspection", name="getInspection", summary="What a worker answers about itself",
        answers=(inspection_schema.InspectionOut,), query=query.InspectionQuery,
        path_parameters={"hostname": _HOSTNAME},
    ),
    _command(
        "/workers/{hostname}/shutdown", "shutDownWorker", "End a worker once its tasks are done",
        control_schema.Plain, hostname=_HOSTNAME,
    ),
    _command(
        "/workers/{hostname}/pool/restart", "restartPool", "New processes for a worker's pool",
        control_schema.Plain, hostname=_HOSTNAME,
    ),
    _command(
        "/workers/{hostname}/pool/growth", "growPool", "More processes for a worker's pool",
        control_schema.PoolChange, hostname=_HOSTNAME,
    ),
    _command(
        "/workers/{hostname}/pool/shrinkage", "shrinkPool", "Fewer processes for a worker's pool",
        control_schema.PoolChange, hostname=_HOSTNAME,
    ),
    _command(
        "/workers/{hostname}/autoscale", "setAutoscale", "New bounds for a worker that scales itself",
        control_schema.Autoscale, hostname=_HOSTNAME,
    ),
    _command(
        "/workers/{hostname}/consumers", "addConsumer", "Have a worker take tasks from a queue",
        control_schema.Consumer, hostname=_HOSTNAME,
    ),
    _command(
        "/workers/{hostname}/consumers/cancellation", "cancelConsumer",
        "Have a worker take no more tasks from a queue", control_schema.Consumer, hostname=_HOSTNAME,
    ),
    _command(
        "/workers/{hostname}/time-limits", "setTimeLimits", "Limit the run time of a task on a worker",
        control_schema.TimeLimits, hostname=_HOSTNAME,
    ),
    _command(
        "/workers/{hostname}/rate-limits", "setRateLimit", "Limit how often a worker starts a task",
        control_schema.RateLimit, hostname=_HOSTNAME,
    ),
    Operation(
        path="/revocation-jobs", method="POST", name="previewRevocation",
        summary="Pin the tasks of a bulk revocation; nothing is sent yet",
        answers=(revocation_schema.RevocationJobOut,), body=revocation_schema.RevocationPreview,
    ),
    Operation(
        path="/revocation-jobs", name="listRevocationJobs", summary="Bulk revocations, newest first",
        answers=(revocation_schema.RevocationJobList,), query=query.JobQuery,
    ),
    Operation(
        path="/revocation-jobs/{job}/items", name="listRevocationItems", summary="What came of each task of a job",
        answers=(revocation_schema.RevocationItemList,), query=query.JobItemQuery, path_parameters={"job": _JOB},
    ),
    Operation(
        path="/revocation-jobs/{job}/start", method="POST", name="startRevocation",
        summary="Revoke the tasks of a preview", answers=(revocation_schema.RevocationJobOut,),
        body=revocation_schema.RevocationStart, path_parameters={"job": _JOB},
    ),
    Operation(
        path="/revocation-jobs/{job}/stop", method="POST", name="stopRevocation",
        summary="Tell workers no more tasks of a job", answers=(revocation_schema.RevocationJobOut,),
        body=revocation_schema.RevocationStop, path_parameters={"job": _JOB},
    ),
    Operation(
        path="/revocation-jobs/{job}", name="getRevocationJob", summary="How far a bulk revocation is",
        answers=(revocation_schema.RevocationJobOut,), path_parameters={"job": _JOB},
    ),
    Operation(
        path="/audit", name="listAudit", summary="Commands, newest first: who, what, when, and what came of them",
        answers=(control_schema.AuditList,), query=query.AuditQuery,
    ),
    Operation(
        path="/tasks", name="listTasks", summary="A page of tasks", answers=(schema.TaskList,),
        query=query.TaskListQuery,
    ),
    Operation(
        path="/tasks/{uuid}", name="getTask", summary="Everything kept of one task",
        answers=(schema.TaskDetailOut,), path_parameters={"uuid": _UUID},
    ),
    Operation(
        path="/facets", name="getFacets", summary="Tasks by state, name and worker", answers=(schema.Facets,),
        query=query.FacetQuery,
    ),
    Operation(path="/workers", name="listWorkers", summary="Workers and totals", answers=(schema.WorkerList,)),
    Operation(
        path="/workers/{hostname}", name="getWorker", summary="One worker", answers=(schema.WorkerOut,),
        path_parameters={"hostname": _HOSTNAME},
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
        path="/queue-rollups", name="listQueueRollups", summary="Lengths of queues by time bucket",
        answers=(queue_schema.QueueRollupList,), query=query.QueueRollupQuery,
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
        path="/queues/{name}/purge", method="POST", name="purgeQueue", summary="Throw away what waits in a queue",
        answers=(queue_schema.PurgeOut,), body=queue_schema.Purge, path_parameters={"name": "Queue name."},
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
