--- Every option of libzmq's sockets (4.3.5, drafts too): numbers, kinds, ranges.
--
-- A table of options by name, without ZMQ_ and in lower case:
--
--     number    libzmq's
--     kind      how libzmq takes it: "int", "int64", "uint64", "bool" (an int), "seconds_ms"
--               (seconds for scripts, an int of milliseconds for libzmq), "text", "bytes", "key"
--     read, write
--     min, max  of numbers as libzmq has them, of texts and bytes in length
--     huge      -1 for libzmq is math.huge for scripts
--     names     names of the numbers: scripts see these
--     secret    is not shown by errors
--     types     the sockets that take it, where not all do
--     build     what a libzmq must have been built with; without it the option is unknown to it
--
-- What scripts may write for a value, and get, is in green.zmq.option_value; what each option does,
-- in docs/modules/zmq_options.md, which has a row for each of these.
-- @module green.zmq.options

local M = {}

local MECHANISMS = { [0] = "NULL", "PLAIN", "CURVE", "GSSAPI" }
local TYPES = { [0] = "PAIR", "PUB", "SUB", "REQ", "REP", "DEALER", "ROUTER", "PULL", "PUSH",
  "XPUB",
  "XSUB", "STREAM", "SERVER", "CLIENT", "RADIO", "DISH", "GATHER", "SCATTER", "DGRAM", "PEER",
  "CHANNEL" }

local ROUTERS, PUBS = "REP ROUTER", "PUB XPUB"

--- Put options of one kind into a table: name = { number, access, what else is to be said }.
local function add(into, kind, list)
  for name, of in pairs(list) do
    local option = { number = of[1], kind = kind, read = of[2]:find("r") ~= nil,
      write = of[2]:find("w") ~= nil }
    for key, value in pairs(of) do
      if type(key) == "string" then
        option[key] = value
      end
    end
    into[name] = option
  end
end

add(M, "bool", {
  rcvmore = { 13, "r" },
  ipv4only = { 31, "rw" },
  router_mandatory = { 33, "w", types = ROUTERS },
  immediate = { 39, "rw" },
  xpub_verbose = { 40, "w", types = PUBS },
  router_raw = { 41, "w", types = ROUTERS },
  ipv6 = { 42, "rw" },
  plain_server = { 44, "rw" },
  curve_server = { 47, "rw" },
  probe_router = { 51, "w", types = "REQ REP DEALER ROUTER" },
  req_correlate = { 52, "w", types = "REQ" },
  req_relaxed = { 53, "w", types = "REQ" },
  conflate = { 54, "rw" },
  router_handover = { 56, "w", types = ROUTERS },
  gssapi_server = { 62, "rw", build = "gssapi" },
  gssapi_plaintext = { 65, "rw", build = "gssapi" },
  xpub_nodrop = { 69, "w", types = PUBS },
  xpub_manual = { 71, "w", types = PUBS },
  stream_notify = { 73, "w", types = "STREAM" },
  invert_matching = { 74, "rw" },
  xpub_verboser = { 78, "w", types = PUBS },
  thread_safe = { 81, "r" },
  zap_enforce_domain = { 93, "rw" },
  loopback_fastpath = { 94, "rw" },
  multicast_loop = { 96, "rw" },
  xpub_manual_last_value = { 98, "w", types = PUBS },
  wss_trust_system = { 107, "w", build = "draft" },
  only_first_subscribe = { 108, "w", types = "PUB XPUB XSUB" },
  xsub_verbose_unsubscribe = { 115, "w", types = "XSUB", build = "draft" },
  norm_unicast_nack = { 118, "rw", build = "draft" },
  norm_push = { 124, "rw", build = "draft" },
})

add(M, "int", {
  rate = { 8, "rw", min = 1 },
  sndbuf = { 11, "rw", min = -1 },
  rcvbuf = { 12, "rw", min = -1 },
  fd = { 14, "r" },
  events = { 15, "r" },
  type = { 16, "r", names = TYPES },
  backlog = { 19, "rw" },
  sndhwm = { 23, "rw" },
  rcvhwm = { 24, "rw" },
  multicast_hops = { 25, "rw", min = 1, max = 255 },
  tcp_keepalive = { 34, "rw", min = -1, max = 1 },
  tcp_keepalive_cnt = { 35, "rw", min = -1 },
  tcp_keepalive_idle = { 36, "rw", min = -1 },
  tcp_keepalive_intvl = { 37, "rw", min = -1 },
  mechanism = { 43, "r", names = MECHANISMS },
  tos = { 57, "rw", max = 255 },
  ipc_filter_pid = { 58, "w" },
  ipc_filter_uid = { 59, "w" },
  ipc_filter_gid = { 60, "w" },
  multicast_maxtpdu = { 84, "rw", min = 1 },
  use_fd = { 89, "rw", min = -1 },
  gssapi_principal_nametype = { 90, "rw", max = 2, build = "gssapi" },
  gssapi_service_principal_nametype = { 91, "rw", max = 2, build = "gssapi" },
  router_notify = { 97, "rw", max = 3, types = "ROUTER", build = "draft" },
  in_batch_size = { 101, "rw", min = 1, build = "draft" },
  out_batch_size = { 102, "rw", min = 1, build = "draft" },
  reconnect_stop = { 109, "rw", max = 7 },
  priority = { 112, "rw", build = "draft" },
  busy_poll = { 113, "rw", build = "draft" },
  topics_count = { 116, "r", types = "PUB XPUB SUB XSUB", build = "draft" },
  norm_mode = { 117, "rw", max = 4, build = "draft" },
  norm_buffer_size = { 119, "rw", min = 1, build = "draft" },
  norm_segment_size = { 120, "rw", min = 1, build = "draft" },
  norm_block_size = { 121, "rw", min = 1, max = 255, build = "draft" },
  norm_num_parity = { 122, "rw", max = 254, build = "draft" },
  norm_num_autoparity = { 123, "rw", max = 254, build = "draft" },
})

add(M, "int64", {
  maxmsgsize = { 22, "rw", huge = true },
})

add(M, "uint64", {
  affinity = { 4, "rw" },
  vmci_buffer_size = { 85, "rw", build = "vmci" },
  vmci_buffer_min_size = { 86, "rw", build = "vmci" },
  vmci_buffer_max_size = { 87, "rw", build = "vmci" },
})

add(M, "seconds_ms", {
  recovery_ivl = { 9, "rw" },
  linger = { 17, "rw", huge = true },
  reconnect_ivl = { 18, "rw", huge = true },
  reconnect_ivl_max = { 21, "rw" },
  rcvtimeo = { 27, "rw", huge = true },
  sndtimeo = { 28, "rw", huge = true },
  handshake_ivl = { 66, "rw" },
  heartbeat_ivl = { 75, "rw" },
  heartbeat_ttl = { 76, "rw", max = 6553599 },
  heartbeat_timeout = { 77, "rw" },
  connect_timeout = { 79, "rw" },
  tcp_maxrt = { 80, "rw" },
  vmci_connect_timeout = { 88, "rw", build = "vmci" },
})

add(M, "bytes", {
  routing_id = { 5, "rw", min = 1, max = 255 },
  subscribe = { 6, "w", types = "SUB XPUB" },
  unsubscribe = { 7, "w", types = "SUB XPUB" },
  connect_routing_id = { 61, "w", min = 1, max = 255, types = "REP ROUTER STREAM" },
  xpub_welcome_msg = { 72, "w", types = PUBS },
  hello_msg = { 110, "w", types = "DEALER ROUTER CLIENT SERVER PEER", build = "draft" },
  disconnect_msg = { 111, "w", types = "ROUTER SERVER PEER", build = "draft" },
  hiccup_msg = { 114, "w", types = "DEALER CLIENT PEER", build = "draft" },
})

add(M, "text", {
  last_endpoint = { 32, "r" },
  tcp_accept_filter = { 38, "w", max = 255 },
  plain_username = { 45, "rw", max = 255 },
  plain_password = { 46, "rw", max = 255, secret = true },
  zap_domain = { 55, "rw", max = 255 },
  gssapi_principal = { 63, "rw", min = 1, max = 255, build = "gssapi" },
  gssapi_service_principal = { 64, "rw", min = 1, max = 255, build = "gssapi" },
  socks_proxy = { 68, "rw", max = 255 },
  bindtodevice = { 92, "rw", max = 15 },
  metadata = { 95, "w", min = 4, max = 255 },
  socks_username = { 99, "rw", max = 255 },
  socks_password = { 100, "rw", max = 255, secret = true },
  wss_key_pem = { 103, "w", secret = true, build = "draft" },
  wss_cert_pem = { 104, "w", build = "draft" },
  wss_trust_pem = { 105, "w", build = "draft" },
  wss_hostname = { 106, "w", max = 255, build = "draft" },
})

add(M, "key", {
  curve_publickey = { 48, "rw" },
  curve_secretkey = { 49, "rw", secret = true },
  curve_serverkey = { 50, "rw" },
})

-- Names that libzmq keeps from before, for the same options.
M.identity = M.routing_id
M.connect_rid = M.connect_routing_id
M.delay_attach_on_connect = M.immediate
M.fail_unroutable = M.router_mandatory
M.router_behavior = M.router_mandatory

return M
