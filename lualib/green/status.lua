--- A page that says how this process does: green threads, loop, sockets, jobs, memory, servers;
-- the same as JSON, and all metrics for Prometheus.
--
-- It is a handler, which is mounted nowhere by itself. It tells loopback peers alone, unless a
-- guard says who else may see it, and nothing of what clients send, unless it is asked to.
-- @module green.status

local args = require "green.args"
local class = require "green.args.class"
local guards = require "green.status.guard"
local json = require "green.args.json"
local look = require "green.status.look"
local metrics = require "green.metrics"
local options = require "green.args.options"
local pacer = require "green.thread.pace"
local page = require "green.status.page"
local runtime = require "green.metrics.runtime"
local text = require "green.metrics.text"

-- Scripts may put their own in their places.
local find, format, match = string.find, string.format, string.match
local ipairs, pairs, type = ipairs, pairs, type

local M = {}

local THREADS, MOST_THREADS = 100, 1000
local TITLE = "greenlua"

local PLAIN = "text/plain; charset=utf-8"
local JSON = "application/json"

local known = { guard = true, title = true, threads = true, registry = true, peers = true,
  tracebacks = true, queries = true, headers = true }

-- -- Options ------------------------------------------------------------------

local function registry_of(value)
  if value ~= nil and (type(value) ~= "table" or not class.all["green.metrics.registry"]
    or not class.is(value, class.all["green.metrics.registry"])) then
    args.wrong("handler", "registry", "what metrics.registry gave", value)
  end
  return value or metrics.default()
end

local function read(opts)
  opts = options.check(opts, known, "handler")
  local o = {
    guard = guards.loopback,
    title = args.optional(opts.title, "string", "handler", "title") or TITLE,
    threads = args.integer(opts.threads == nil and THREADS or opts.threads, 0, "handler",
      "threads", MOST_THREADS),
    registry = registry_of(opts.registry),
  }
  if opts.guard ~= nil then
    o.guard = args.callable(opts.guard, "handler", "guard")
  end
  for _, name in ipairs { "peers", "tracebacks", "queries", "headers" } do
    o[name] = args.optional(opts[name], "boolean", "handler", name) or false
  end
  return o
end

-- -- Answers ------------------------------------------------------------------

-- What is told is of this moment, and nobody's to keep, to guess at or to frame.
local function headers(kind, more)
  local all = {
    ["Content-Type"] = kind,
    ["Cache-Control"] = "no-store",
    ["X-Content-Type-Options"] = "nosniff",
    ["Referrer-Policy"] = "no-referrer",
    ["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'",
  }
  for name, value in pairs(more or {}) do
    all[name] = value
  end
  return all
end

--- An answer of a list of texts. They are not put together, which would take as long as
-- they are large.
local function answer_of(kind, list)
  if #list == 1 then
    return 200, headers(kind), list[1]
  end
  local size, i, pace = 0, 0, pacer()
  for _, one in ipairs(list) do
    size = size + #one
  end
  return 200, headers(kind, { ["Content-Length"] = format("%d", size) }), function()
    pace()
    i = i + 1
    return list[i]
  end
end

local answers = {}

function answers.json(o)
  local list = json.chunks(look.look(o), pacer())
  list[#list] = list[#list] .. "\n"
  return answer_of(JSON, list)
end

function answers.prometheus(o, env)
  local list, kind = text.of(o.registry, text.is_open_wanted(env.HTTP_ACCEPT))
  return answer_of(kind, list)
end

function answers.html(o)
  return 200, headers("text/html; charset=utf-8", page.headers), page.of(o.title)
end

--- What is asked for: by the query, by the path's end, by Accept.
local function format_of(env)
  local asked = match("&" .. (env.QUERY_STRING or "") .. "&", "&format=([^&]*)&")
  local accept = env.HTTP_ACCEPT or ""
  if asked then
    return asked
  elseif find(env.PATH_INFO or "", "/metrics/?$") or text.is_open_wanted(accept) then
    return "prometheus"
  elseif find(accept, JSON, 1, true) and not find(accept, "text/html", 1, true) then
    return "json"
  end
  return "html"
end

--- A handler for green.wsgi's servers: hand the requests to it that are for the page, at
-- whatever path. From here on it is measured how long turns of the loop take, and requests of
-- every server of this state. Does not park; the handler parks.
-- @tparam[opt] table opts `guard`: a function(env) that says whether this client may see it, in
-- place of loopback peers alone; `title`; `threads`: how many to list (100; at most 1000);
-- `registry`: whose metrics it has (`metrics.default()`); and, each false unless it is true,
-- whether to tell of `peers`, `tracebacks`, `queries`, `headers`
-- @return the handler. It answers GET and HEAD: a page, as JSON with `?format=json` or by
-- Accept, for Prometheus with `?format=prometheus` or where the path ends in /metrics; others
-- get 405, those who may not see it 403
function M.handler(opts)
  local o = read(opts)
  runtime.start()
  return function(env)
    local method = env.REQUEST_METHOD
    if not o.guard(env) then
      return 403, headers(PLAIN), "this page is not for you\n"
    elseif method ~= "GET" and method ~= "HEAD" then
      return 405, headers(PLAIN, { Allow = "GET, HEAD" }), "there is only GET and HEAD\n"
    end
    local answer = answers[format_of(env)]
    if not answer then
      return 400, headers(PLAIN), "format must be html, json or prometheus\n"
    end
    return answer(o, env)
  end
end

return M
