-- A server whose lines all have the id of the request that they belong to, in whichever green
-- thread they are written.
--
--     greenlua examples/log.lua [PORT [json]]
--     GREENLUA_LOG=info,work=debug greenlua examples/log.lua
--
-- curl http://127.0.0.1:8080/ and look at standard error. A client's token is not seen there.
local green = require "green"
local log = require "green.log"
local wsgi = require "green.wsgi"

assert(log.configure { format = arg[2] or "console" })
log.take_reports()

local work = log.get("work")
local slow = log.get("work"):limit(1, 10) -- one line in ten seconds, and how many there were

local function fetch(what)
  green.sleep(0.01)
  work:debug("fetched", { what = what })
end

local n = 0

local function handle(env)
  n = n + 1
  local id = env.HTTP_X_REQUEST_ID or ("r-%d"):format(n)
  return log.with({ request_id = id }, function()
    log.info("begins", { path = env.PATH_INFO, authorization = env.HTTP_AUTHORIZATION })
    green.group(function(group) -- its threads have the context, too
      group:spawn(fetch, "prices")
      group:spawn(fetch, "stock")
    end)
    slow:warn("that was slow")
    return 200, { ["X-Request-Id"] = id }, "done\n"
  end)
end

local server = assert(wsgi.new("127.0.0.1:" .. (arg[1] or 8080), handle, { log = log.get("http"),
  signals = true }))
print(server.url)
io.flush()
server:serve_forever()
