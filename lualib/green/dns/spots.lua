--- What a lookup of a host finds.
--
-- Spots are a list, best first (RFC 6724), of `{ family = "inet" or "inet6", host = text }`, with
-- `canonical`, the name that they are of in the end, unless it is the one that was asked for.
-- Those that have a `till` are shared: nobody changes them.
-- @module green.dns.spots

local core = require "green.core"
local addr = require "green.socket.addr"
local answers = require "green.dns.answer"
local askings = require "green.dns.asking"

local ffi = require "ffi"
local addr_api = require "green.ffi.addr"
local hosts_api = require "green.ffi.hosts"
local order_api = require "green.ffi.order"
local resolver_api = require "green.ffi.resolver"

local ffi_string, min, pairs, tonumber = ffi.string, math.min, pairs, tonumber

local INET = addr.families.inet
local MOST = 64 -- addresses of one name

local M = {}

local order = ffi.new("green_order")
local room = ffi.new("green_addr[?]", MOST)
local found = ffi.new("green_spot[?]", MOST)

local function now_ns()
  return core.now() * 1e9
end

-- -- Spots --------------------------------------------------------------------

local text = ffi.new("char[64]")

local function spot(raw)
  return { family = addr_api.family(raw) == INET and "inet" or "inet6",
    host = ffi_string(text, addr_api.host(raw, text, 64)) }
end

--- Spots of the first n in the room, put into order.
local function spots_of_room(n, canonical)
  if n > 1 then
    order_api.sort(order, room, n, now_ns())
  end
  local list = { canonical = canonical }
  for i = 1, n do
    list[i] = spot(room[i - 1])
  end
  return list
end

--- Does this machine reach the world by a family?
function M.reaches(family)
  return order_api.reaches(order, addr.families[family], now_ns()) ~= 0
end

local loopback

--- 127.0.0.1 and ::1, in this order, or one of them.
function M.localhost(family)
  if not loopback then
    local four, six = spot(addr.ip("127.0.0.1", 0)), spot(addr.ip("::1", 0))
    loopback = { any = { four, six }, inet = { four }, inet6 = { six } }
    for _, list in pairs(loopback) do
      list.canonical = "localhost"
    end
  end
  return loopback[family or "any"]
end

--- What a hosts table has of a name. nil: it does not know it; an empty list: it does, but
-- has no address of that family.
function M.in_hosts(hosts, name, family)
  local n = hosts_api.find(hosts, name, #name, family and addr.families[family] or 0, 0, room,
    MOST)
  if n == 0 and (not family or hosts_api.line(hosts, name, #name, -1) < 0) then
    return nil
  end
  local line = hosts_api.line(hosts, name, #name, -1)
  local len = ffi.new("uint32_t[1]")
  local first = hosts_api.name(hosts, line, 0, len)
  return spots_of_room(min(n, MOST), ffi.string(first, len[0]))
end

-- -- Answers ------------------------------------------------------------------

local question = askings.question
local none = ffi.cast("const green_question *", nil)

-- Tables that have their size from the beginning are not made anew: a spot has room for a port.
local function of_found(i)
  local s = found[i]
  return { family = s.family == INET and "inet" or "inet6", host = ffi_string(s.host, s.len),
    port = false }
end

local function earlier(a, b)
  return min(tonumber(a.till), tonumber(b.till)) * 1e-9
end

--- Spots of questions that are done, for AAAA and A of a name, either or both of them; nil:
-- there are none. is_known: they have a `till`, until when they hold.
function M.of_both(asking, six, four, is_known)
  local six_q, four_q = six and question(six) or none, four and question(four) or none
  local n = resolver_api.spots(asking.object, order, six_q, four_q, found, MOST)
  if n == 0 then
    return nil
  end
  local with = six and six_q.count > 0 and six_q or four_q
  local list, linked = { of_found(0), nil }, answers.linked(with)
  if linked then
    list.canonical = linked
  end
  if is_known then
    list.till = earlier(six and six_q or four_q, four and four_q or six_q)
  end
  for i = 2, n do
    list[i] = of_found(i - 1)
  end
  return list
end

return M
