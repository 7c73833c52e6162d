// Starts one node of a search engine on 127.0.0.1 and runs until it is told to
// end. RUNNER stands for the class that embeds the engine.
// Arguments: HTTP-PORT TRANSPORT-PORT DIRECTORY [SETTING=VALUE ...]
public class Node {
    static int port;

    // The runner looks for ports of its own; this one is given.
    static class Runner extends RUNNER {
        @Override
        protected int getAvailableHttpPort(int n) {
            return port;
        }
    }

    public static void main(String[] args) throws Exception {
        port = Integer.parseInt(args[0]);
        Runner runner = new Runner();
        runner.onBuild((n, settings) -> {
            settings.put("network.host", "127.0.0.1");
            settings.put("http.port", args[0]);
            settings.put("transport.port", args[1]);
            settings.put("discovery.type", "single-node");
            settings.put("cluster.routing.allocation.disk.threshold_enabled", "false");
            for (int i = 3; i < args.length; i++) {
                int eq = args[i].indexOf('=');
                settings.put(args[i].substring(0, eq), args[i].substring(eq + 1));
            }
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                runner.close();
            } catch (Exception e) {
                e.printStackTrace();
            }
        }));
        runner.build(new String[] {"-basePath", args[2], "-numOfNode", "1", "-clusterName", "sluice-" + args[0], "-useLogger"});
        Thread.currentThread().join();
    }
}
