// A client of npm as a program: `node driver.mjs KIND ENDPOINT STORE`, in the directory of its package.
// KIND is `sdk` (@modelcontextprotocol/sdk) or `ai` (@ai-sdk/mcp). It signs in with a browser that
// only follows redirects, keeps what it is given in the file STORE, says {"tools": n}, and then
// answers each line {"tool": …, "arguments": …} with {"text": …, "error": …, "progress": n} or,
// where the client itself fails, {"failed": …}.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";

const [kind, endpoint, store] = process.argv.slice(2);
const CALLBACK = "http://127.0.0.1:3118/callback";
const kept = existsSync(store) ? JSON.parse(readFileSync(store, "utf8")) : {};
const keep = (more) => writeFileSync(store, JSON.stringify(Object.assign(kept, more)));
let back;

const provider = {
  redirectUrl: CALLBACK,
  clientMetadata: {
    client_name: `npm ${kind}`,
    redirect_uris: [CALLBACK],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
  },
  state: () => kept.state ?? (keep({ state: crypto.randomUUID() }), kept.state),
  clientInformation: () => kept.client,
  saveClientInformation: (client) => keep({ client }),
  tokens: () => kept.tokens,
  saveTokens: (tokens) => keep({ tokens }),
  codeVerifier: () => kept.verifier,
  saveCodeVerifier: (verifier) => keep({ verifier }),
  savedState: () => kept.state,
  storedState: () => kept.state,
  saveState: (state) => keep({ state }),
  async redirectToAuthorization(url) {
    keep({ visits: (kept.visits ?? 0) + 1 });
    const answer = await fetch(url, { redirect: "manual" });
    back = new URL(answer.headers.get("location")).searchParams;
  },
};

async function sdk() {
  const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
  const { StreamableHTTPClientTransport } = await import(
    "@modelcontextprotocol/sdk/client/streamableHttp.js"
  );
  const way = () =>
    new StreamableHTTPClientTransport(new URL(endpoint), { authProvider: provider });
  let client = new Client({ name: "driver", version: "1" });
  const first = way();
  try {
    await client.connect(first);
  } catch (error) {
    if (!back) throw error;
    await first.finishAuth(back.get("code"));
    client = new Client({ name: "driver", version: "1" });
    await client.connect(way());
  }
  return {
    count: async () => (await client.listTools()).tools.length,
    async call(name, args, heard) {
      const how = { timeout: 90_000, onprogress: heard, resetTimeoutOnProgress: true };
      const said = await client.callTool({ name, arguments: args }, undefined, how);
      return { text: said.content[0].text, error: Boolean(said.isError) };
    },
  };
}

async function ai() {
  const { auth, createMCPClient } = await import("@ai-sdk/mcp");
  if ((await auth(provider, { serverUrl: endpoint })) !== "AUTHORIZED") {
    await auth(provider, {
      serverUrl: endpoint,
      authorizationCode: back.get("code"),
      callbackState: back.get("state"),
      callbackIssuer: back.get("iss"),
    });
  }
  const client = await createMCPClient({
    transport: { type: "http", url: endpoint, authProvider: provider },
  });
  let tools = await client.tools();
  return {
    count: async () => Object.keys(tools).length,
    async call(name, args) {
      const said = await tools[name].execute(args, { toolCallId: "1", messages: [] });
      return { text: said.content[0].text, error: Boolean(said.isError) };
    },
  };
}

const client = await { sdk, ai }[kind]();
const tell = (what) => console.log(JSON.stringify(what));
tell({ tools: await client.count(), visits: kept.visits ?? 0 });
for await (const line of createInterface({ input: process.stdin })) {
  const { tool, arguments: args } = JSON.parse(line);
  let progress = 0;
  try {
    tell({ ...(await client.call(tool, args, () => (progress += 1))), progress });
  } catch (error) {
    tell({ failed: `${error.name}: ${error.message}` });
  }
}
process.exit(0);
