-- A reverse proxy: proxy.lua PORT UPSTREAM_PORT
local http = require "green.http"
local wsgi = require "green.wsgi"

local origin = "http://127.0.0.1:" .. arg[2]
local session = http.session { proxy = false, pool = { per_origin = 1000 } }

wsgi.serve("127.0.0.1:" .. arg[1], function(env)
  return assert(session:forward(env, origin)):pass_on(env)
end, { access_log = false, error_log = false })
