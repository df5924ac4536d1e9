-- What an expert would write in DuckDB instead of `rethread transform`: the story -> thread mapping of
-- src/contract/story-to-thread.toml, from the tables of a snapshot to six Parquet files with the
-- columns, the values and the order of a bundle.
--
--     {snapshot}  folder of the snapshot      {out}     folder that the files are written into
--     {threads}   how many threads            {memory}  memory limit, such as 2GB
--     {temp}      folder for what does not fit
--
-- How it is made fast:
--   * Ids become UUIDs at once: 16 bytes to join, sort and keep instead of 36 characters. They turn
--     into text again in the last step alone.
--   * What is looked up stands in narrow temporary tables (ids and links, no payload) that are filled
--     once, in the order of the links, so that an INNER JOIN is "required" and a LEFT JOIN is not.
--   * Wide rows are read once, pass one pipeline of hash joins with the narrow tables, are sorted by
--     fixed-width keys and written by the same statement.
--   * Parquet's newer encodings and an early end to dictionaries of ids spare a fifth of the writing.
--   * uuid5 is computed only for ids that are no UUID, and for threads.
--
-- What it leaves out of the bundle: JSONL, digests, seals, duplicates, what quarantine and repairs
-- tell, links to entities that are no conversation. It is right for a source without defects.

SET threads = {threads};
SET memory_limit = '{memory}';
SET temp_directory = '{temp}';
SET preserve_insertion_order = false;   -- an ORDER BY in a COPY holds all the same
SET TimeZone = 'UTC';

-- uuid5 as RFC 9562 has it: SHA-1 of the namespace's bytes and the name, with version and variant set.
CREATE MACRO as_uuid5(hash) AS (
    substr(hash, 1, 12) || '5' || substr(hash, 14, 3)
    || substr('89ab89ab89ab89ab', instr('0123456789abcdef', substr(hash, 17, 1)), 1)
    || substr(hash, 18, 15)
)::UUID;
CREATE TEMP TABLE namespaces AS
    SELECT unhex(replace(as_uuid5(sha1(
        '\x6b\xa7\xb8\x11\x9d\xad\x11\xd1\x80\xb4\x00\xc0\x4f\xd4\x30\xc8'::BLOB
        || encode('rethread:story-to-thread')))::VARCHAR, '-', '')) AS ours;
SET VARIABLE namespace = (SELECT ours FROM namespaces);
CREATE MACRO uuid5(target, key) AS
    as_uuid5(sha1(getvariable('namespace') || encode(target || ':' || key)));

-- A UUID is kept, any other id is mapped. (A CASE computes what is needed, row by row.)
CREATE MACRO target_id(id, target) AS
    CASE WHEN length(id) = 36 AND TRY_CAST(id AS UUID) IS NOT NULL THEN TRY_CAST(id AS UUID)
         WHEN id IS NOT NULL THEN uuid5(target, id) END;
CREATE MACRO server_time(ms) AS to_timestamp(ms / 1000);

-- ── Narrow tables ────────────────────────────────────────────────────────────
CREATE VIEW contexts   AS FROM '{snapshot}/data/tables/context_contexts.parquet';
CREATE VIEW events     AS FROM '{snapshot}/data/tables/context_events.parquet';
CREATE VIEW executions AS FROM '{snapshot}/data/tables/story_executions.parquet';
CREATE VIEW steps      AS FROM '{snapshot}/data/tables/story_steps.parquet';
CREATE VIEW parts      AS FROM '{snapshot}/data/tables/story_parts.parquet';
CREATE VIEW existing_threads AS FROM '{snapshot}/data/tables/thread_threads.parquet';

-- Threads: an existing one that the context names, or that has its key; else one derived from it.
CREATE TEMP TABLE context_ids AS
    SELECT c._row,
           target_id(c.id, 'thread_contexts') AS id,
           coalesce(named.id::UUID, keyed.id::UUID, uuid5('thread_threads', c.id)) AS thread,
           named.id IS NOT NULL OR keyed.id IS NOT NULL AS adopted,
           c.key
    FROM contexts c
    LEFT JOIN existing_threads named ON named.id = coalesce(c.thread, c.threadId)
    LEFT JOIN (SELECT key, min(id) AS id FROM existing_threads GROUP BY key) keyed
           ON keyed.key = c.key;

CREATE TEMP TABLE context_keys AS
    SELECT key, min(id) AS id, any_value(thread) AS thread
    FROM context_ids WHERE key IS NOT NULL GROUP BY key;

CREATE TEMP TABLE event_ids AS
    SELECT target_id(id, 'thread_items') AS id FROM events;

CREATE TEMP TABLE execution_ids AS
    SELECT e._row,
           target_id(e.id, 'thread_executions') AS id,
           coalesce(e.createdAt, server_time(e._server_created_at)) AS createdAt,
           c.id AS context, c.thread, trigger.id AS trigger, reaction.id AS reaction
    FROM executions e
    JOIN context_ids c
      ON c.id = target_id(coalesce(e.context, e.contextId, e.context_id), 'thread_contexts')
    LEFT JOIN event_ids trigger
      ON trigger.id = target_id(coalesce(e.trigger, e.triggerEventId, e.trigger_event_id), 'thread_items')
    LEFT JOIN event_ids reaction
      ON reaction.id = target_id(coalesce(e.reaction, e.reactionEventId, e.reaction_event_id), 'thread_items');

-- The execution that an event began or ended, for events that do not name theirs.
CREATE TEMP TABLE turns AS
    SELECT event, arg_min(id, side) AS id
    FROM (SELECT trigger AS event, 0 AS side, id FROM execution_ids
          UNION ALL SELECT reaction, 1, id FROM execution_ids)
    WHERE event IS NOT NULL GROUP BY event;

-- The last execution of every context that does not name its current one.
CREATE TEMP TABLE latest AS
    SELECT context, arg_max(id, (createdAt, id)) AS id FROM execution_ids
    WHERE context IN (SELECT target_id(id, 'thread_contexts') FROM contexts WHERE currentExecution IS NULL)
    GROUP BY context;

CREATE TEMP TABLE step_ids AS
    SELECT s._row, target_id(s.id, 'thread_steps') AS id,
           e.id AS execution, e.trigger, e.reaction
    FROM steps s
    JOIN execution_ids e
      ON e.id = target_id(coalesce(s.execution, s.executionId, s.execution_id), 'thread_executions');

-- ── The six tables ───────────────────────────────────────────────────────────
-- Rows that the app has already in the target's tables are carried as they are.

COPY (
    SELECT t.* REPLACE (t.id::VARCHAR AS id) FROM (
        SELECT n.thread AS id,
               coalesce(c.createdAt, server_time(c._server_created_at)) AS createdAt, c.updatedAt, c.key,
               coalesce(json_extract_string(c.content, '$.title'), c.key) AS name,
               CASE lower(c.status) WHEN 'open' THEN 'open' WHEN 'streaming' THEN 'streaming'
                    WHEN 'executing' THEN 'streaming' WHEN 'closed' THEN 'closed'
                    WHEN 'failed' THEN 'failed' ELSE coalesce(c.status, 'open') END AS status,
               'migrated' AS _origin, c._row AS _source_row, c._server_created_at, NULL::VARCHAR AS _extra
        FROM contexts c JOIN context_ids n USING (_row) WHERE NOT n.adopted
        UNION ALL
        SELECT id::UUID, createdAt, updatedAt, key, name, status, 'existing', _row, _server_created_at, _extra
        FROM existing_threads
    ) t ORDER BY t.createdAt NULLS FIRST, t.id
) TO '{out}/thread_threads.parquet'
  (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 65536,
   PARQUET_VERSION v2, DICTIONARY_SIZE_LIMIT 5000);

COPY (
    SELECT t.* REPLACE (t.id::VARCHAR AS id, t.thread::VARCHAR AS thread,
                        t.currentExecution::VARCHAR AS currentExecution) FROM (
        SELECT n.id,
               coalesce(c.createdAt, server_time(c._server_created_at)) AS createdAt, c.updatedAt, c.key,
               CASE lower(c.status) WHEN 'open' THEN 'open' WHEN 'streaming' THEN 'streaming'
                    WHEN 'executing' THEN 'streaming' WHEN 'closed' THEN 'closed'
                    WHEN 'failed' THEN 'closed' ELSE coalesce(c.status, 'open') END AS status,
               c.content, n.thread,
               CASE WHEN c.currentExecution IS NULL THEN latest.id ELSE e.id END AS currentExecution,
               'migrated' AS _origin, c._row AS _source_row, c._server_created_at, NULL::VARCHAR AS _extra
        FROM contexts c
        JOIN context_ids n USING (_row)
        LEFT JOIN execution_ids e ON e.id = target_id(c.currentExecution, 'thread_executions')
        LEFT JOIN latest ON latest.context = n.id
        UNION ALL
        SELECT id::UUID, createdAt, updatedAt, key, status, content, thread::UUID, currentExecution::UUID,
               'existing', _row, _server_created_at, _extra
        FROM '{snapshot}/data/tables/thread_contexts.parquet'
    ) t ORDER BY t.createdAt NULLS FIRST, t.id
) TO '{out}/thread_contexts.parquet'
  (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 65536,
   PARQUET_VERSION v2, DICTIONARY_SIZE_LIMIT 5000);

COPY (
    SELECT t.* REPLACE (t.id::VARCHAR AS id, t.context::VARCHAR AS context, t.thread::VARCHAR AS thread,
                        t.execution::VARCHAR AS execution) FROM (
        SELECT target_id(v.id, 'thread_items') AS id, coalesce(v.channel, 'web') AS channel,
               coalesce(v.createdAt, server_time(v._server_created_at)) AS createdAt,
               CASE v.type WHEN 'user.message' THEN 'input_text'
                    WHEN 'assistant.message' THEN 'output_text'
                    WHEN 'system.message' THEN 'ekairos:system' ELSE v.type END AS type,
               v.content, v.status,
               coalesce(c.id, k.id) AS context, coalesce(c.thread, k.thread) AS thread,
               coalesce(e.id, turns.id) AS execution,
               'migrated' AS _origin, v._row AS _source_row, v._server_created_at, NULL::VARCHAR AS _extra
        FROM events v
        LEFT JOIN context_ids c
          ON c.id = target_id(coalesce(v.context, v.contextId, v.context_id), 'thread_contexts')
        LEFT JOIN context_keys k ON k.key = v.contextKey
        LEFT JOIN execution_ids e
          ON e.id = target_id(coalesce(v.execution, v.executionId, v.execution_id), 'thread_executions')
        LEFT JOIN turns ON turns.event = target_id(v.id, 'thread_items')
        UNION ALL
        SELECT id::UUID, channel, createdAt, type, content, status, context::UUID, thread::UUID,
               execution::UUID, 'existing', _row, _server_created_at, _extra
        FROM '{snapshot}/data/tables/thread_items.parquet'
    ) t ORDER BY t.createdAt NULLS FIRST, t.id
) TO '{out}/thread_items.parquet'
  (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 65536,
   PARQUET_VERSION v2, DICTIONARY_SIZE_LIMIT 5000);

COPY (
    SELECT t.* REPLACE (t.id::VARCHAR AS id, t.context::VARCHAR AS context, t.thread::VARCHAR AS thread,
                        t.trigger::VARCHAR AS trigger, t.reaction::VARCHAR AS reaction) FROM (
        SELECT n.id, n.createdAt, e.updatedAt,
               CASE lower(e.status) WHEN 'executing' THEN 'executing' WHEN 'running' THEN 'executing'
                    WHEN 'completed' THEN 'completed' WHEN 'failed' THEN 'failed'
                    ELSE coalesce(e.status, 'completed') END AS status,
               coalesce(e.workflowRunId, e.runId, e.workflow_run_id) AS workflowRunId,
               n.context, n.thread, n.trigger, n.reaction,
               'migrated' AS _origin, e._row AS _source_row, e._server_created_at, NULL::VARCHAR AS _extra
        FROM executions e JOIN execution_ids n USING (_row)
        UNION ALL
        SELECT id::UUID, createdAt, updatedAt, status, workflowRunId, context::UUID, thread::UUID,
               trigger::UUID, reaction::UUID, 'existing', _row, _server_created_at, _extra
        FROM '{snapshot}/data/tables/thread_executions.parquet'
    ) t ORDER BY t.createdAt NULLS FIRST, t.id
) TO '{out}/thread_executions.parquet'
  (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 65536,
   PARQUET_VERSION v2, DICTIONARY_SIZE_LIMIT 5000);

COPY (
    SELECT t.* REPLACE (t.id::VARCHAR AS id, t.executionId::VARCHAR AS executionId,
                        t.triggerEventId::VARCHAR AS triggerEventId,
                        t.reactionEventId::VARCHAR AS reactionEventId, t.eventId::VARCHAR AS eventId,
                        t.execution::VARCHAR AS execution) FROM (
        SELECT n.id,
               coalesce(s.createdAt, server_time(s._server_created_at)) AS createdAt, s.updatedAt,
               CASE lower(s.status) WHEN 'running' THEN 'running' WHEN 'executing' THEN 'running'
                    WHEN 'completed' THEN 'completed' WHEN 'failed' THEN 'failed'
                    ELSE coalesce(s.status, 'completed') END AS status,
               coalesce(s.iteration, 0) AS iteration, n.execution AS executionId,
               coalesce(target_id(coalesce(s.triggerEventId, s.trigger_event_id), 'thread_items'),
                        n.trigger) AS triggerEventId,
               coalesce(target_id(coalesce(s.reactionEventId, s.reaction_event_id), 'thread_items'),
                        n.reaction) AS reactionEventId,
               coalesce(target_id(coalesce(s.eventId, s.event_id, s.reactionEventId, s.triggerEventId),
                                  'thread_items'), n.reaction, n.trigger) AS eventId,
               coalesce(s.toolCalls, s.tools) AS toolCalls,
               coalesce(s.toolExecutionResults, s.toolResults, s.toolOutput) AS toolExecutionResults,
               s.continueLoop, coalesce(s.errorText, s.error) AS errorText, n.execution,
               'migrated' AS _origin, s._row AS _source_row, s._server_created_at, NULL::VARCHAR AS _extra
        FROM steps s JOIN step_ids n USING (_row)
        UNION ALL
        SELECT id::UUID, createdAt, updatedAt, status, iteration, executionId::UUID, triggerEventId::UUID,
               reactionEventId::UUID, eventId::UUID, toolCalls, toolExecutionResults, continueLoop,
               errorText, execution::UUID, 'existing', _row, _server_created_at, _extra
        FROM '{snapshot}/data/tables/thread_steps.parquet'
    ) t ORDER BY t.createdAt NULLS FIRST, t.id
) TO '{out}/thread_steps.parquet'
  (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 65536,
   PARQUET_VERSION v2, DICTIONARY_SIZE_LIMIT 5000);

COPY (
    SELECT t.* REPLACE (t.id::VARCHAR AS id, t.stepId::VARCHAR AS stepId, t.step::VARCHAR AS step) FROM (
        SELECT target_id(coalesce(p.id, n.id::VARCHAR || ':' || p.idx::BIGINT), 'thread_parts') AS id,
               coalesce(p.key, n.id::VARCHAR || ':' || p.idx::BIGINT) AS key, n.id AS stepId, p.idx,
               coalesce(p.type, json_extract_string(coalesce(p.part, p.content), '$.type')) AS type,
               coalesce(p.part, p.content) AS part, p.updatedAt, n.id AS step,
               'migrated' AS _origin, p._row AS _source_row, p._server_created_at, NULL::VARCHAR AS _extra
        FROM parts p
        JOIN step_ids n ON n.id = target_id(coalesce(p.step, p.stepId, p.step_id), 'thread_steps')
        UNION ALL
        SELECT id::UUID, key, stepId::UUID, idx, type, part, updatedAt, step::UUID,
               'existing', _row, _server_created_at, _extra
        FROM '{snapshot}/data/tables/thread_parts.parquet'
    ) t ORDER BY t.stepId NULLS FIRST, t.idx, t.id
) TO '{out}/thread_parts.parquet'
  (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 65536,
   PARQUET_VERSION v2, DICTIONARY_SIZE_LIMIT 5000);
