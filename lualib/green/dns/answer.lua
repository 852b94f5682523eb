--- Answers of name servers: what a message says to its question.
--
-- An entry has `bytes` (the message), `rcode` (a number), `ad` (the server says that the
-- data is proved), `proven` (and it is trusted in that), `count` of records, `born` (seconds of
-- core.now(): when it came), `kind` and `server`.
-- @module green.dns.answer

local ffi = require "ffi"
local answers = require "green.ffi.dns_answer"
local messages = require "green.ffi.dns_message"
local names = require "green.ffi.dns_name"

local floor, max, pairs, tonumber, tostring = math.floor, math.max, pairs, tonumber, tostring

local M = {}

local TEXT = 1024 -- GREEN_DNS_NAME_TEXT

M.types = { A = 1, NS = 2, CNAME = 5, SOA = 6, PTR = 12, MX = 15, TXT = 16, AAAA = 28, SRV = 33,
  NAPTR = 35, TLSA = 52, CAA = 257 }
M.type_names = {}
for name, number in pairs(M.types) do
  M.type_names[number] = name
end

local rcodes = { [0] = "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED" }

--- "NXDOMAIN" of 3.
function M.rcode(number)
  return rcodes[number] or "RCODE" .. tostring(number)
end

local message_t, answer_t = ffi.typeof("green_dns_message"), ffi.typeof("green_dns_answer")
local message, answer = message_t(), answer_t()
local text = ffi.new("char[?]", TEXT)

--- The name at an offset, as text.
function M.name(bytes, n, off)
  local len = names.text(bytes, n, off, text, TEXT)
  return len >= 0 and ffi.string(text, len) or nil
end

--- An entry of a green_question whose result is there; nil: there is no answer.
function M.entry(q, kind, server)
  if q.result ~= 0 then
    return nil
  end
  return { bytes = ffi.string(q.answer, q.len), rcode = q.rcode, ad = q.is_proved ~= 0,
    count = q.count, born = tonumber(q.done_at) * 1e-9, kind = kind, server = server }
end

--- The name that a green_question's answer is of in the end; nil: the one that was asked for.
function M.linked(q)
  return q.is_linked ~= 0 and M.name(q.answer, q.len, q.name_off) or nil
end

--- Take an entry's message apart again: a green_dns_message and a green_dns_answer, which
-- are good until the next call here.
function M.open(entry)
  messages.parse(message, entry.bytes, #entry.bytes)
  answers.read(answer, message, entry.bytes)
  return message, answer
end

--- Seconds that a TTL of an entry has left.
function M.left(entry, ttl, now)
  return max(0, ttl - floor(now - entry.born))
end

return M
