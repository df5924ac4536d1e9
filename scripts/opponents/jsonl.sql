-- What else an expert would add to transform.sql so that the six tables are there as InstantDB's lines
-- too: the files just written, once more as JSON. Absent values are written as null.

SET threads = {threads};
SET memory_limit = '{memory}';
SET temp_directory = '{temp}';
SET preserve_insertion_order = true;
SET TimeZone = 'UTC';

CREATE MACRO created(made, server) AS coalesce(server, epoch_ms(made));

COPY (SELECT {'id': id, 'createdAt': createdAt, 'updatedAt': updatedAt, 'key': key, 'name': name,
              'status': status} AS entity,
             created(createdAt, _server_created_at) AS createdAt
      FROM '{out}/thread_threads.parquet') TO '{out}/thread_threads.jsonl' (FORMAT json);

COPY (SELECT {'id': id, 'createdAt': createdAt, 'updatedAt': updatedAt, 'key': key, 'status': status,
              'content': content::JSON, 'thread': thread, 'currentExecution': currentExecution} AS entity,
             created(createdAt, _server_created_at) AS createdAt
      FROM '{out}/thread_contexts.parquet') TO '{out}/thread_contexts.jsonl' (FORMAT json);

COPY (SELECT {'id': id, 'channel': channel, 'createdAt': createdAt, 'type': type, 'content': content::JSON,
              'status': status, 'context': context, 'thread': thread, 'execution': execution} AS entity,
             created(createdAt, _server_created_at) AS createdAt
      FROM '{out}/thread_items.parquet') TO '{out}/thread_items.jsonl' (FORMAT json);

COPY (SELECT {'id': id, 'createdAt': createdAt, 'updatedAt': updatedAt, 'status': status,
              'workflowRunId': workflowRunId, 'context': context, 'thread': thread, 'trigger': trigger,
              'reaction': reaction} AS entity,
             created(createdAt, _server_created_at) AS createdAt
      FROM '{out}/thread_executions.parquet') TO '{out}/thread_executions.jsonl' (FORMAT json);

COPY (SELECT {'id': id, 'createdAt': createdAt, 'updatedAt': updatedAt, 'status': status,
              'iteration': iteration, 'executionId': executionId, 'triggerEventId': triggerEventId,
              'reactionEventId': reactionEventId, 'eventId': eventId, 'toolCalls': toolCalls::JSON,
              'toolExecutionResults': toolExecutionResults::JSON, 'continueLoop': continueLoop,
              'errorText': errorText, 'execution': execution} AS entity,
             created(createdAt, _server_created_at) AS createdAt
      FROM '{out}/thread_steps.parquet') TO '{out}/thread_steps.jsonl' (FORMAT json);

COPY (SELECT {'id': id, 'key': key, 'stepId': stepId, 'idx': idx, 'type': type, 'part': part::JSON,
              'updatedAt': updatedAt, 'step': step} AS entity,
             _server_created_at AS createdAt
      FROM '{out}/thread_parts.parquet') TO '{out}/thread_parts.jsonl' (FORMAT json);
