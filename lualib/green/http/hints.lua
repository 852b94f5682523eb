--- Where options and fields stand here that people know from other clients, or have given to
-- the wrong one. Private to green.http.
-- @module green.http.hints

local options = require "green.args.options"

-- Scripts may put their own in their places.
local ipairs = ipairs

local M = {}

local both = {
  data = 'say body = "..." or form = { ... }',
  content = 'say body = "..."',
  files = "say multipart = { { name = , file = } }",
  query = "say params = { ... }",
  proxies = "say proxy = { http = , https = }",
}
for _, name in ipairs { "verify", "cert", "key", "ca", "pins" } do
  both[name] = "say tls = { " .. name .. " = }"
end

local of_session, of_request = {}, {}
for _, name in ipairs { "base_url", "app", "pool" } do
  of_session[name] = "a session has it: http.session { " .. name .. " = }"
end
for _, name in ipairs { "body", "json", "form", "multipart", "expect_continue", "stream",
  "upgrade" } do
  of_request[name] = "a request has it, not a session"
end

-- What other clients call it.
local of_response = {
  status_code = "status", statusCode = "status", status_text = "reason", statusText = "reason",
  status_line = "reason", header = "headers", cookie = "cookies", elapsed = "timings",
  body = "text()", body_text = "text()", content = "text()", data = "text()",
  get_body_as_string = "text()", iter_lines = "lines()", iter_content = "chunks()",
  raise_for_status = "check()", raiseForStatus = "check()", arrayBuffer = "text()",
}

--- What a field may mean that a response does not have: a field's name, or "method()"; nil: one
-- cannot tell.
-- @tparam string name
-- @tparam table methods those of responses
-- @tparam table fields names of theirs
function M.for_response(name, methods, fields)
  local other = of_response[name]
  if other then
    return other
  end
  local most = #name < 6 and 1 or 2
  local field = options.nearest(name, fields, most)
  local method = options.nearest(name, methods, most)
  return field or method and method .. "()"
end

--- What to say of an option that a request does not have; nil: nothing.
function M.for_request(name)
  return of_session[name] or both[name]
end

--- The same of a session.
function M.for_session(name)
  return of_request[name] or both[name]
end

return M
