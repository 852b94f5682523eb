--- The HTTP servers of this state, for who looks at them: green.status, green.metrics.
-- @module green.wsgi.register

local core = require "green.core"

local pairs, setmetatable, sort = pairs, setmetatable, table.sort

local M = {}

local all = setmetatable({}, { __mode = "k" }) -- server -> true
local is_measured = false -- somebody looks: of each it is measured what its requests take

--- Out of memory nothing is measured, and the server serves.
local function measure(server)
  core.httpd_measure(server.httpd_pointer)
end

--- A server has been made. Does not park.
function M.add(server)
  all[server] = true
  if is_measured or server.options.measure then
    measure(server)
  end
end

--- Measure all that there are, and that come. Does not park.
function M.measure()
  if not is_measured then
    is_measured = true
    for server in pairs(all) do
      measure(server)
    end
  end
end

local function by_url(a, b)
  return a.url < b.url
end

--- Those that serve, or did not start yet, sorted; not those of a parent process. Does not
-- park.
function M.list()
  local list, pid = {}, core.getpid()
  for server in pairs(all) do
    if not server.ended and (not server.started or server.pid == pid) then
      list[#list + 1] = server
    end
  end
  sort(list, by_url)
  return list
end

return M
