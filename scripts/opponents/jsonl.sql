-- What else an expert would add to transform.sql so that the six tables are there as InstantDB's lines
-- too, with payloads byte for byte as they were: the files just written, once more.
--
-- Lines are put together as text and written as CSV without quotes. COPY … (FORMAT json) would parse
-- every payload and write it anew, which takes twice the time and alters it (1e3 becomes 1000.0).

SET preserve_insertion_order = true;
SET TimeZone = 'UTC';

-- A member of an object; nothing where there is no value.
CREATE MACRO texts(name, value) AS ',"' || name || '":' || to_json(value);
CREATE MACRO ids(name, value) AS ',"' || name || '":"' || value || '"';
CREATE MACRO jsons(name, value) AS ',"' || name || '":' || value;
CREATE MACRO flags(name, value) AS ',"' || name || '":' || value::VARCHAR;
CREATE MACRO numbers(name, value) AS
    ',"' || name || '":' || CASE WHEN value = trunc(value) THEN value::BIGINT::VARCHAR ELSE value::VARCHAR END;
CREATE MACRO dates(name, value) AS ',"' || name || '":"' || CASE WHEN epoch_us(value) % 1000 = 0
    THEN strftime(value, '%Y-%m-%dT%H:%M:%S.%gZ') ELSE strftime(value, '%Y-%m-%dT%H:%M:%S.%fZ') END || '"';
CREATE MACRO line_end(server, made) AS '},"createdAt":' || coalesce(server, epoch_ms(made)) || '}';

COPY (SELECT concat('{"entity":{"id":"', id, '"', dates('createdAt', createdAt), dates('updatedAt', updatedAt),
             texts('key', key), texts('name', name), texts('status', status),
             line_end(_server_created_at, createdAt))
      FROM '{out}/thread_threads.parquet') TO '{out}/thread_threads.jsonl'
     (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x01');

COPY (SELECT concat('{"entity":{"id":"', id, '"', dates('createdAt', createdAt), dates('updatedAt', updatedAt),
             texts('key', key), texts('status', status), jsons('content', content), ids('thread', thread),
             ids('currentExecution', currentExecution), line_end(_server_created_at, createdAt))
      FROM '{out}/thread_contexts.parquet') TO '{out}/thread_contexts.jsonl'
     (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x01');

COPY (SELECT concat('{"entity":{"id":"', id, '"', texts('channel', channel), dates('createdAt', createdAt),
             texts('type', type), jsons('content', content), texts('status', status), ids('context', context),
             ids('thread', thread), ids('execution', execution), line_end(_server_created_at, createdAt))
      FROM '{out}/thread_items.parquet') TO '{out}/thread_items.jsonl'
     (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x01');

COPY (SELECT concat('{"entity":{"id":"', id, '"', dates('createdAt', createdAt), dates('updatedAt', updatedAt),
             texts('status', status), texts('workflowRunId', workflowRunId), ids('context', context),
             ids('thread', thread), ids('trigger', trigger), ids('reaction', reaction),
             line_end(_server_created_at, createdAt))
      FROM '{out}/thread_executions.parquet') TO '{out}/thread_executions.jsonl'
     (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x01');

COPY (SELECT concat('{"entity":{"id":"', id, '"', dates('createdAt', createdAt), dates('updatedAt', updatedAt),
             texts('status', status), numbers('iteration', iteration), ids('executionId', executionId),
             ids('triggerEventId', triggerEventId), ids('reactionEventId', reactionEventId),
             ids('eventId', eventId), jsons('toolCalls', toolCalls),
             jsons('toolExecutionResults', toolExecutionResults), flags('continueLoop', continueLoop),
             texts('errorText', errorText), ids('execution', execution),
             line_end(_server_created_at, createdAt))
      FROM '{out}/thread_steps.parquet') TO '{out}/thread_steps.jsonl'
     (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x01');

COPY (SELECT concat('{"entity":{"id":"', id, '"', texts('key', key), ids('stepId', stepId), numbers('idx', idx),
             texts('type', type), jsons('part', part), dates('updatedAt', updatedAt), ids('step', step),
             line_end(_server_created_at, NULL::TIMESTAMPTZ))
      FROM '{out}/thread_parts.parquet') TO '{out}/thread_parts.jsonl'
     (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x01');
