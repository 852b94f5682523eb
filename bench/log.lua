-- What a line of a log costs.
--
--     greenlua bench/log.lua PORT none|plain|text|json|env|line|fixed
--
-- serves hello with no access log, the server's own, one through green.log for people or as
-- JSON; or with a handler that makes a table of four fields, two of them of its env (env), and
-- one that writes these as a line of JSON (line), or others (fixed). All go to /dev/null by a
-- path, as they would go to a file.
--
--     greenlua bench/log.lua lines
--
-- prints log_*: ns of CPU time of a line without a server, the least of 9 rounds.
local green = require "green"
local log = require "green.log"
local wsgi = require "green.wsgi"

local NOWHERE = "/dev/null"
local LINES, ROUNDS = 200000, 9

local function logger(format)
  return assert(log.new { output = NOWHERE, format = format })
end

local function serve(port, variant)
  local own = logger("json")
  local access = variant == "plain" and NOWHERE or variant == "text" and logger("console")
    or variant == "json" and own or false
  local headers = { ["Content-Type"] = "text/plain" }
  local function hello()
    return 200, headers, "hello\n"
  end
  local function talking(env)
    own:info("request", { method = env.REQUEST_METHOD, path = env.PATH_INFO, status = 200, n = 6 })
    return 200, headers, "hello\n"
  end
  local function silent(env)
    own:debug("request", { method = env.REQUEST_METHOD, path = env.PATH_INFO, status = 200, n = 6 })
    return 200, headers, "hello\n"
  end
  local function fixed()
    own:info("request", { method = "GET", path = "/", status = 200, n = 6 })
    return 200, headers, "hello\n"
  end
  local handlers = { env = silent, line = talking, fixed = fixed }
  wsgi.serve("127.0.0.1:" .. port, handlers[variant] or hello,
    { access_log = access, error_log = false })
end

local function least_ns(put)
  local least = math.huge
  for _ = 1, ROUNDS do
    green.sleep(0)
    local begun = os.clock()
    for i = 1, LINES / 100 do
      for _ = 1, 100 do put(i) end
      green.sleep(0) -- the writer's turn
    end
    least = math.min(least, (os.clock() - begun) / LINES * 1e9)
  end
  return least
end

local function measure()
  local json, console = logger("json"), logger("console")
  local function four(i)
    return { method = "GET", path = "/index.html", status = 200, bytes = i }
  end
  local rows = {
    off = function(i) json:debug("request", four(i)) end,
    json = function() json:info("request") end,
    json_4 = function(i) json:info("request", four(i)) end,
    console = function() console:info("request") end,
    console_4 = function(i) console:info("request", four(i)) end,
  }
  for name, put in pairs(rows) do
    print(("log_%s=%.0f"):format(name, least_ns(put)))
  end
  log.with({ request_id = "r-17" }, function()
    print(("log_json_4_context=%.0f"):format(least_ns(rows.json_4)))
  end)
end

if arg[1] == "lines" then
  measure()
else
  serve(arg[1] or "8080", arg[2] or "none")
end
