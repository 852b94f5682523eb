--- Names of origins in the pool: two requests share connections only if theirs is the same.
-- Private to green.http.
-- @module green.http.key

-- Scripts may put their own in their places.
local setmetatable, tostring, type = setmetatable, tostring, type

local M = {}

local numbers = setmetatable({}, { __mode = "k" }) -- of what is not a text in a key
local last_number = 0

--- What a value of an option is called in a key: never as another one.
local function name_of(value)
  if type(value) == "string" then
    return value
  elseif not numbers[value] then
    last_number = last_number + 1
    numbers[value] = last_number
  end
  return tostring(numbers[value])
end

--- What decides which addresses are connected to: a connection that was opened without a
-- check is not for a request that wants one.
local function choice_of(settings)
  local allow, resolver = settings.allow, settings.resolver
  return (allow and " to " .. name_of(allow) or "")
    .. (resolver and " found by " .. name_of(resolver) or "")
end

--- The origin in the pool: all that two connections must have in common. It is shown to
-- nobody, for it may hold a proxy's password.
function M.of(req, tls_name)
  local target, proxy = req.target, req.proxy
  local choice = choice_of(req.settings)
  local key = target.origin .. choice
  if req.settings.unix then
    key = key .. " unix:" .. req.settings.unix
  elseif proxy then
    key = (req.form and "any" .. choice or key) .. " by " .. tostring(proxy) .. " "
      .. (proxy.user and proxy.user .. ":" .. proxy.password
        or proxy.auth and "as " .. name_of(proxy.auth) or "")
  end
  if target.scheme == "https" then
    key = key .. " " .. tls_name
  end
  return key
end

return M
