--- Where a jar's cookies are: by domain, at most so many in each and in all.
--
-- When there are too many, those go that have expired, then those not used for longest; in a
-- domain those before that are not secure (RFC 6265bis 5.7).
-- @module green.http.cookie_store

-- Scripts may put their own in their places.
local ipairs, pairs, setmetatable = ipairs, pairs, setmetatable
local remove, sort = table.remove, table.sort

local methods = {}
local mt = { __index = methods }

--- Is its time over?
local function is_expired(cookie, now)
  return cookie.expires ~= nil and cookie.expires <= now
end

--- Take out what has expired, and what `gone` says. How many those were.
function methods:sweep(now, gone)
  local before = self._count
  for domain, list in pairs(self._domains) do
    for i = #list, 1, -1 do
      if is_expired(list[i], now) or gone and gone(list[i]) then
        remove(list, i)
        self._count = self._count - 1
      end
    end
    if #list == 0 then
      self._domains[domain] = nil -- pairs allows that
    end
  end
  return before - self._count
end

--- Is a worth less than b? What is not secure goes before what is, then what was not used
-- for longest.
local function is_less(a, b, by_secure)
  if by_secure and a.secure ~= b.secure then
    return not a.secure
  end
  return a.used < b.used
end

local function least_of(list, by_secure)
  local least = 1
  for i = 2, #list do
    if is_less(list[i], list[least], by_secure) then
      least = i
    end
  end
  return least
end

local function drop(self, list, i)
  local domain = list[i].domain
  remove(list, i)
  self._count = self._count - 1
  if #list == 0 then
    self._domains[domain] = nil
  end
end

--- The jar is full: the cookie that was not used for longest goes.
local function drop_oldest(self)
  local worst_list, worst
  for _, list in pairs(self._domains) do
    local i = least_of(list)
    if not worst or list[i].used < worst_list[worst].used then
      worst_list, worst = list, i
    end
  end
  drop(self, worst_list, worst)
end

local function make_room(self, list, now)
  if #list > self._most_of_domain or self._count > self._most then
    self:sweep(now)
  end
  if #list > self._most_of_domain then
    drop(self, list, least_of(list, true))
  end
  if self._count > self._most then
    drop_oldest(self)
  end
end

--- Where the same cookie stands in the list, which this one takes the place of.
local function find_same(list, cookie)
  for i, old in ipairs(list) do
    if old.name == cookie.name and old.path == cookie.path
      and old.host_only == cookie.host_only then
      return i
    end
  end
end

local function tick(self)
  self._tick = self._tick + 1
  return self._tick
end

--- Note that a cookie was used.
function methods:use(cookie)
  cookie.used = tick(self)
end

--- Put a cookie in the place of the same one, whose time of creation it gets; one that has
-- expired takes that away.
function methods:put(cookie, now)
  local list = self._domains[cookie.domain] or {}
  local i = find_same(list, cookie)
  if is_expired(cookie, now) then
    if i then
      drop(self, list, i)
    end
    return
  end
  cookie.used = tick(self)
  if i then
    cookie.created, cookie.order = list[i].created, list[i].order
    list[i] = cookie
    return
  end
  cookie.order = tick(self)
  list[#list + 1] = cookie
  self._domains[cookie.domain] = list
  self._count = self._count + 1
  make_room(self, list, now)
end

--- All that have not expired, in the order in which they came.
function methods:all(now)
  local all = {}
  self:sweep(now)
  for _, list in pairs(self._domains) do
    for _, cookie in ipairs(list) do
      all[#all + 1] = cookie
    end
  end
  sort(all, function(a, b)
    return a.order < b.order
  end)
  return all
end

--- Domain -> list of its cookies. Not to be changed.
function methods:domains()
  return self._domains
end

function methods:count()
  return self._count
end

--- An empty store.
-- @tparam number most cookies in all
-- @tparam number most_of_domain
local function new(most, most_of_domain)
  return setmetatable({ _domains = {}, _count = 0, _tick = 0, _most = most,
    _most_of_domain = most_of_domain }, mt)
end

return { new = new, is_expired = is_expired }
