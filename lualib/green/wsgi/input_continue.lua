--- "100 Continue", which a request's body may wait for. Private to green.wsgi.input.
-- @module green.wsgi.input_continue

local args = require "green.args"
local core = require "green.core"
local errors = require "green.error"
local is_token = require("green.http.token").is

-- An answer without a body may not tell where its body ends.
local FRAMING = { ["content-length"] = true, ["transfer-encoding"] = true }

local methods = {}

--- As green_http_write_capitalize has it.
local function capitalized(name)
  return (("-" .. name):gsub("%-[a-z]", string.upper):sub(2))
end

--- Further headers for the "100 Continue" that the first read, or
-- send_hundred_continue_response, will send.
-- @tparam table headers list of { name, value }
function methods:set_hundred_continue_response_headers(headers)
  local lines = {}
  args.type(headers, "table", "set_hundred_continue_response_headers", "headers")
  for i, pair in ipairs(headers) do
    args.type(pair, "table", "set_hundred_continue_response_headers", "header " .. i)
    local name, value = tostring(pair[1]), tostring(pair[2])
    if not is_token(name) or value:find("%c") or FRAMING[name:lower()] then
      args.misuse("100 Continue: header %d, %s, has a bad name or value", i, args.shown(name))
    end
    name = self.server.capitalize and capitalized(name) or name
    lines[i] = name .. ": " .. value .. "\r\n"
  end
  local code = self.conn and core.conn_continue_lines(self.conn, table.concat(lines)) or 0
  if code ~= 0 then
    error(errors.new(code, "100 Continue"), 0)
  end
end

--- Send "100 Continue" now if the client waits for it; may be called again. Does not
-- park.
-- @return true; false when nothing was sent: the client does not ask for it, has sent
-- the body, or has an answer; or nil, err
function methods:send_hundred_continue_response()
  local sent = self.conn and core.conn_continue(self.conn) or core.codes.ECLOSED
  if sent < 0 then
    return nil, errors.new(sent, "100 Continue")
  end
  return sent > 0
end

return { methods = methods }
