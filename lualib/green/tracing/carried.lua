--- Tracing in native threads: spans of a job there are children of the span that the job is
-- from, and come back with it, to be exported.
-- @module green.tracing.carried

local otlp = require "green.tracing.otlp"
local spans = require "green.tracing.span"

-- Scripts may put their own in their places.
local ipairs, pcall, setmetatable = ipairs, pcall, setmetatable

local M = {}

-- -- What leaves --------------------------------------------------------------

--- What a recorder in a native thread is to know of the one of its program.
function M.plain_of(o)
  return { sample = o.sample, trust = o.trust, baggage = o.baggage, queries = o.queries,
    propagate = o.propagate == true, most = o.queue }
end

function M.pack(context)
  local span = context.span
  if span and span.trace_id then
    return { trace_id = span.trace_id, span_id = span.span_id, name = span.name,
      sampled = span.sampled, state = span.state, baggage = span.baggage }
  end
  return context.is_mute or nil
end

-- -- What arrives -------------------------------------------------------------

function M.unpack(sent)
  if sent == true then
    return "is_mute", true
  end
  return "span", spans.remote(sent)
end

-- A recorder whose spans go back as texts. It has the fields that one of green.tracing.recorder
-- has for who makes spans, and for who asks.
local methods = {}
local mt = { __index = methods }

function M.new(plain)
  return setmetatable({ sample = plain.sample, trust = plain.trust, baggage = plain.baggage,
    queries = plain.queries, propagate = plain.propagate, most = plain.most, in_hand = 0,
    exported = 0, dropped = 0, is_carried = true, texts = {}, lost = 0 }, mt)
end

function methods:waiting()
  return #self.texts
end

function methods:take(span)
  local ok, text = false, nil
  if #self.texts < self.most then
    ok, text = pcall(otlp.span, span)
  end
  if ok then
    self.texts[#self.texts + 1] = text
  else
    self.dropped, self.lost = self.dropped + 1, self.lost + 1
  end
end

--- They go with the job: there is nothing to wait for.
function methods:finish() -- luacheck: no self
  return true
end
methods.flush = methods.finish

--- What goes back with a job; nil: nothing.
function methods:collect()
  if #self.texts == 0 and self.lost == 0 then
    return nil
  end
  local value = { texts = self.texts, lost = self.lost }
  self.exported = self.exported + #self.texts
  self.texts, self.lost = {}, 0
  return value
end

--- Hand what has come back to the recorder that exports. Does not park.
function M.deliver(recorder, value)
  recorder.dropped = recorder.dropped + value.lost
  for _, text in ipairs(value.texts) do
    recorder:take(text)
  end
end

return M
