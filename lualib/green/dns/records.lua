--- Records of answers as tables.
-- @module green.dns.records

local core = require "green.core"
local addr = require "green.socket.addr"
local answers = require "green.dns.answer"

local ffi = require "ffi"
local addr_api = require "green.ffi.addr"
local answer_api = require "green.ffi.dns_answer"
local message_api = require "green.ffi.dns_message"

local concat, sub = table.concat, string.sub

local M = {}

local data_t, record_t = ffi.typeof("green_dns_data"), ffi.typeof("green_dns_record")
local bytes_t = ffi.typeof("green_dns_bytes")

--- Bytes of a message as a string.
local function text(entry, bytes)
  return sub(entry.bytes, bytes.off + 1, bytes.off + bytes.len)
end

local function name(entry, off)
  return answers.name(entry.bytes, #entry.bytes, off)
end

local function address(entry, record)
  local raw = addr.new()
  addr_api.of(raw, text(entry, { off = record.data_off, len = record.data_len }),
    record.data_len, 0, 0)
  return addr.of(raw).host
end

-- -- What each type has -------------------------------------------------------

local function host(out, entry, d)
  out.host = name(entry, d.name_off)
end

local function of_address(out, entry, _, record)
  out.address = address(entry, record)
end

local makers = {
  A = of_address, AAAA = of_address, NS = host, CNAME = host, PTR = host,
  MX = function(out, entry, d)
    out.preference, out.host = d.preference, name(entry, d.name_off)
  end,
  SRV = function(out, entry, d)
    out.priority, out.weight, out.port = d.preference, d.weight, d.port
    out.host = name(entry, d.name_off)
  end,
  TXT = function(out, entry, d, record)
    local part, list = bytes_t(d.text), {}
    repeat
      list[#list + 1] = text(entry, part)
    until not message_api.more(entry.bytes, record, part)
    out.strings, out.text = list, concat(list)
  end,
  CAA = function(out, entry, d)
    out.critical = d.flags >= 128
    out.tag, out.value = text(entry, d.tag), text(entry, d.text)
  end,
  SOA = function(out, entry, d)
    out.host, out.mailbox = name(entry, d.name_off), name(entry, d.mailbox_off)
    out.serial, out.refresh, out.retry = d.serial, d.refresh, d.retry
    out.expire, out.minimum = d.expire, d.minimum
  end,
  NAPTR = function(out, entry, d)
    out.order, out.preference = d.order, d.preference
    out.flags, out.services = text(entry, d.tag), text(entry, d.text)
    out.pattern, out.replacement = text(entry, d.pattern), name(entry, d.name_off)
  end,
  TLSA = function(out, entry, d)
    out.usage, out.selector, out.matching = d.usage, d.selector, d.matching
    out.data = text(entry, d.text)
    out.proven = entry.proven
  end,
}

local function record_of(entry, m, record, now)
  local out = { name = name(entry, record.name_off), type = answers.type_names[record.type],
    ttl = answers.left(entry, record.ttl, now) }
  local d = data_t()
  local maker = out.type and makers[out.type]
  if maker and message_api.data(m, entry.bytes, record, d) == 0 then
    maker(out, entry, d, record)
  else
    out.type = out.type or record.type
    out.data = sub(entry.bytes, record.data_off + 1, record.data_off + record.data_len)
  end
  return out
end

-- -- Lists --------------------------------------------------------------------

--- The records of an entry's answer, in its order, with `canonname` and `ad`.
function M.list(entry)
  local m, a = answers.open(entry)
  local list, record, now = { ad = entry.ad }, record_t(), core.now()
  list.canonname = name(entry, a.name_off)
  while answer_api.next(a, m, entry.bytes, record) == 1 do
    list[#list + 1] = record_of(entry, m, record, now)
  end
  return list
end

--- The SOA record of an entry that says "there is none", or nil.
function M.soa(entry)
  local m, a = answers.open(entry)
  if a.has_soa then
    return record_of(entry, m, a.soa, core.now())
  end
end

return M
