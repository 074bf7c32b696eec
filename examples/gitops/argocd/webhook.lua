-- The health of a Webhook. Its receiver's is not part of it: an endpoint of somebody else must not degrade an app.
local health = { status = "Progressing", message = "waits for the operator to look at it" }
local status = obj.status or {}
if status.observedGeneration ~= obj.metadata.generation then
  return health
end

local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end
local function is(about, holds)
  return conditions[about] ~= nil and conditions[about].status == holds
end

if conditions.Ready ~= nil then
  health.message = conditions.Ready.message
end
if is("Stalled", "True") then
  health.status = "Degraded"
elseif is("Ready", "True") and obj.spec.suspend then
  health.status = "Suspended"
elseif is("Ready", "True") then
  health.status = "Healthy"
  for _, about in ipairs({ "EndpointHealthy", "ResolvedRefs" }) do
    if is(about, "False") then
      health.message = health.message .. "; " .. conditions[about].message
    end
  end
end
return health
