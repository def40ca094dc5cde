// Drives the simulated API through the official TypeScript SDK, whose own schemas check every answer.
//
//     npm install
//     HATHORA_TOKEN=... node check.mjs BASE_URL APP_ID
//
// Or, with the first line that the simulator prints (`baseUrl`, `appId`, `token`):
//
//     node check.mjs '{"baseUrl":"http://127.0.0.1:8080","appId":"app-...","token":"..."}'
//
// One line a check; exits 1 if any fails.
import assert from "node:assert/strict";
import { HathoraCloud } from "@hathora/cloud-sdk-typescript";
import { ApiError } from "@hathora/cloud-sdk-typescript/models/errors/index.js";

function target([first, appId]) {
  if (first?.startsWith("{")) {
    const { baseUrl, appId, token } = JSON.parse(first);
    return { baseUrl, appId, token };
  }
  return { baseUrl: first, appId, token: process.env.HATHORA_TOKEN };
}

const { baseUrl, appId, token } = target(process.argv.slice(2));
if (!baseUrl || !appId || !token) {
  console.error("usage: HATHORA_TOKEN=... node check.mjs BASE_URL APP_ID");
  process.exit(2);
}

function api(hathoraDevToken) {
  return new HathoraCloud({ serverURL: baseUrl, appId, hathoraDevToken }).processesV2;
}

const processes = api(token);
const OPEN = ["starting", "running", "draining", "stopping"];
const ENDED = ["stopped", "failed"];

async function refusal(call, code) {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof ApiError, `${error}`);
    assert.equal(error.statusCode, code);
    assert.equal(typeof error.data$.message, "string");
    return true;
  });
}

const checks = {
  "a list holds the ten newest, newest first": async () => {
    const rows = await processes.getLatestProcessesV2Deprecated();
    assert.equal(rows.length, 10);
    for (const row of rows) {
      assert.equal(row.appId, appId);
      assert.ok(row.createdAt instanceof Date);
      assert.equal(typeof row.deploymentId, "number");
      assert.ok(row.roomsAllocated >= 0 && row.roomsAllocated <= row.roomsPerProcess);
      assert.ok(row.additionalExposedPorts.length <= 2);
    }
    const created = rows.map((row) => row.createdAt.getTime());
    assert.deepEqual(created, created.toSorted((a, b) => b - a));
  },
  "two statuses and a region go out as repeated keys": async () => {
    const [newest] = await processes.getLatestProcessesV2Deprecated(undefined, ["running"]);
    const rows = await processes.getLatestProcessesV2Deprecated(undefined, ENDED, [newest.region]);
    assert.ok(rows.length > 0);
    assert.ok(rows.every((row) => ENDED.includes(row.status) && row.region === newest.region));
    assert.ok(rows.every((row) => row.terminatedAt instanceof Date));
  },
  "a running process shows its port": async () => {
    const [row] = await processes.getLatestProcessesV2Deprecated(undefined, ["running"]);
    const info = await processes.getProcessInfoV2Deprecated(row.processId);
    assert.equal(info.processId, row.processId);
    assert.ok(info.startedAt >= info.createdAt);
    assert.ok(Number.isInteger(info.exposedPort.port));
    assert.equal(typeof info.exposedPort.host, "string");
  },
  "counts of parts add up": async () => {
    const count = async (status) =>
      (await processes.getProcessesCountExperimentalV2Deprecated(undefined, status)).count;
    const [all, open, ended] = [await count(), await count(OPEN), await count(ENDED)];
    assert.ok(open > 0 && ended > 0);
    // A live clock may move on between the calls.
    assert.ok(Math.abs(all - open - ended) <= all / 20, `${all} = ${open} + ${ended}`);
  },
  "a wrong token is an ApiError 401": () =>
    refusal(() => api("wrong").getLatestProcessesV2Deprecated(), 401),
  "an unknown process is an ApiError 404": () =>
    refusal(() => processes.getProcessInfoV2Deprecated("no-such-process"), 404),
  "an unknown application is an ApiError 404": () =>
    refusal(() => processes.getLatestProcessesV2Deprecated("app-none"), 404),
  "a status that the API does not know is an ApiError 422": () =>
    refusal(() => processes.getLatestProcessesV2Deprecated(undefined, ["asleep"]), 422),
};

let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}: ${error.message}`);
  }
}
process.exit(failed === 0 ? 0 : 1);
