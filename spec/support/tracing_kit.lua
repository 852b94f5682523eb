-- Tracing that exports into a list, for specs.

local cjson = require "cjson"
local tracing = require "green.tracing"

local M = {}

--- The spans of a body, in the order in which they ended.
local function spans_of(texts)
  local list = {}
  for _, text in ipairs(texts) do
    for _, resource in ipairs(cjson.decode(text).resourceSpans) do
      for _, scope in ipairs(resource.scopeSpans) do
        for _, span in ipairs(scope.spans) do list[#list + 1] = span end
      end
    end
  end
  return list
end
M.spans_of = spans_of

--- Run body() while spans are made; then it is over, whatever body did. Returns the spans, and
-- the texts as they were exported.
function M.run(opts, body)
  local texts = {}
  opts.export = opts.export or function(text) texts[#texts + 1] = text end
  assert(tracing.start(opts))
  local ok, err = pcall(body)
  tracing.stop(5)
  if not ok then
    error(err, 0)
  end
  return spans_of(texts), texts
end

--- The attributes of a span as a table.
function M.attributes(span)
  local all = {}
  for _, pair in ipairs(span.attributes) do
    local _, value = next(pair.value)
    all[pair.key] = value
  end
  return all
end

return M
