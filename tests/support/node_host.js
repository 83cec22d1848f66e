// Runs Pulumi programs in JavaScript for a CLI that was built here: no registry has Pulumi's own host of the language.
// It is the server with which Pulumi's SDK runs inline programs. Pulumi starts it as `pulumi-language-nodejs ... ENGINE`; the
// first argument is the folder with the packages.
"use strict";

const { createRequire } = require("node:module");
const path = require("node:path");

const load = createRequire(path.join(process.argv[2], "index.js"));
const engine = process.argv[process.argv.length - 1];
const grpc = load("@grpc/grpc-js");
const { LanguageServer } = load("@pulumi/pulumi/automation/server");
const { LanguageRuntimeService } = load("@pulumi/pulumi/proto/language_grpc_pb");

function run(call, callback) {
    const { request } = call;
    request.setArgsList([engine]);
    const info = request.getInfo();
    // What the program exports are the stack's outputs.
    const program = async () => require(path.join(info.getProgramDirectory(), info.getEntryPoint(), "index.js"));
    new LanguageServer(program).run(call, callback);
}

const inline = new LanguageServer();
const server = new grpc.Server({ "grpc.max_receive_message_length": -1 });
server.addService(LanguageRuntimeService, {
    run,
    getPluginInfo: inline.getPluginInfo.bind(inline),
    getRequiredPlugins: inline.getRequiredPlugins.bind(inline),
});
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) {
        throw error;
    }
    console.log(port); // the first line printed is the port
});
