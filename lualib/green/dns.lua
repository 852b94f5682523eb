--- Names and addresses: lookups of hosts, and questions to name servers (DNS).
--
-- A host is looked up in the hosts file, then by the name servers of /etc/resolv.conf, both
-- families at once. Nothing stops the loop, and no native thread is made for it. Answers are
-- kept for as long as they say.
-- @module green.dns

local addrinfo = require "green.dns.addrinfo"
local nameinfo = require "green.dns.nameinfo"
local plans = require "green.dns.plan"
local queries = require "green.dns.query"
local resolve = require "green.socket.resolve"
local resolvers = require "green.dns.resolver"

local M = {}

--- The addresses of a host, best first (RFC 6724). Parks for names that are not known yet.
-- @tparam ?string host name or number; nil: loopback, with `passive` any
-- @param[opt] service port number, or a service's name ("http")
-- @tparam[opt] table opts `family` "inet" or "inet6"; `type` "stream" (default) or "dgram";
-- `timeout` in seconds; `passive`: for a listener; `numeric_host`, `numeric_service`: no names;
-- `canonname`: the list has a field of that name; with family "inet6", `v4mapped`: where there
-- is no IPv6 address, IPv4's as ::ffff:a.b.c.d, and with `all` both; `addrconfig`: only families
-- by which this machine reaches others; `resolver`: "system" has the system's getaddrinfo do it
-- in a native thread, "dns" not, whatever the environment says
-- @treturn table address objects (green.socket.addr); or nil, err: EAI_NONAME (there is no such
-- name), EAI_FAMILY (it has no address of that family), EAI_AGAIN (name servers failed or are
-- silent), EAI_SERVICE, EAI_FAIL, EINVAL, ETIMEDOUT, ENOLIBRARY (no c-ares), ENOMEM. The error
-- may have `name`, `type`, `server` and `rcode` ("NXDOMAIN")
function M.getaddrinfo(host, service, opts)
  return addrinfo.getaddrinfo(nil, host, service, opts)
end

--- The names of an address and its port. Parks.
-- @param address see green.socket.addr, for instance what `accept` gives
-- @tparam[opt] table opts `numeric_host`, `numeric_service`: no names; `namereqd`: an address
-- without a name is an error; `nofqdn`: without this machine's own domain; `dgram`: the
-- service is UDP's; `timeout` in seconds
-- @treturn string the host's name, or its number where it has none
-- @treturn string the service's name, or its number. Or nil, err: EAI_NONAME, EAI_AGAIN (with
-- namereqd), EINVAL, ETIMEDOUT
function M.getnameinfo(address, opts)
  return nameinfo.getnameinfo(resolve.plan(), address, opts)
end

--- The first IPv4 address of a host, as text. Parks for names that are not known yet.
-- @tparam string name
-- @treturn string "192.0.2.1"; or nil, err as getaddrinfo
function M.gethostbyname(name)
  return addrinfo.gethostbyname(nil, name)
end

--- Records of a name, as name servers have them: no hosts file, no search list. Parks for what
-- is not known yet.
-- @tparam string name
-- @tparam string type "A", "AAAA", "CAA", "CNAME", "MX", "NAPTR", "NS", "PTR", "SOA", "SRV",
-- "TLSA", "TXT", or a type's number
-- @tparam[opt] table opts `timeout` in seconds
-- @treturn table a list of records, tables with `name`, `type`, `ttl` (seconds left) and what
-- the type has (see the page); with `canonname`, and `ad`: the server says that it has proved
-- them (DNSSEC). Or nil, err: EAI_NONAME (with `rcode`, and `soa`, the record that says how long
-- that holds), EAI_AGAIN, EINVAL (no such name can be), ETIMEDOUT, ENOLIBRARY, ENOMEM
function M.query(name, type, opts)
  return queries.query(resolve.plan(), name, type, opts)
end

--- A resolver of one's own, with the functions above as methods, and `servers()` and `clear()`.
-- Does not park.
-- @tparam[opt] table opts what is left out is as the system's files say, or, with `servers`, as
-- they say in a machine without them. `servers`: addresses to ask ("192.0.2.1", "[::1]:5353");
-- `timeout`: seconds for each attempt (5; each round doubles it); `tries`: rounds (2);
-- `search`: domains to try; `ndots` (1); `rotate`: take servers in turn; `tcp`: no UDP;
-- `single_request`: A and AAAA one after the other, and no two questions from one port;
-- `trust_ad`: whether what servers say of proofs is trusted (only that of servers on this
-- machine); `edns`: the largest datagram to ask for (1232), false: none; `cache`: how many
-- names are kept (2048), false: none; `stale`: for so many seconds an answer that is out of date
-- may be given when no server answers (0); `hosts`: the path of a hosts file, false: none
-- @treturn green.dns.resolver
function M.resolver(opts)
  return resolvers.new(opts, "resolver")
end

--- Forget what is known of names, and read the system's files anew at the next lookup. Does
-- not park.
function M.clear()
  plans.forget(resolve.plan())
end

return M
