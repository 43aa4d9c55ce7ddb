-- Signs in again and again, each time as another of BENCH_USERS users.
local users = tonumber(os.getenv("BENCH_USERS"))
local template = os.getenv("BENCH_BODY")
local headers = { ["Content-Type"] = os.getenv("BENCH_CONTENT_TYPE") }
local seed = 0

function setup(thread)
  seed = seed + 7919
  thread:set("turn", seed)
end

function request()
  -- A step that shares no divisor with any round number, so that the whole table is visited.
  turn = (turn + 611953) % users
  return wrk.format("POST", nil, headers, (template:gsub("{n}", tostring(turn))))
end
