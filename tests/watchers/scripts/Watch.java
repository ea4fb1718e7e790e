import java.nio.file.*;

/** WatchService on the directory given. One line per event: KIND<TAB>PATH. */
class Watch {
    public static void main(String[] args) throws Exception {
        Path directory = Path.of(args[0]);
        WatchService service = directory.getFileSystem().newWatchService();
        directory.register(service, StandardWatchEventKinds.ENTRY_CREATE,
            StandardWatchEventKinds.ENTRY_DELETE, StandardWatchEventKinds.ENTRY_MODIFY);
        Thread main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                service.close();
                main.join();
            } catch (Exception e) {
                System.out.println("ERROR " + e);
            }
        }));
        System.out.println("READY");
        try {
            while (true) {
                WatchKey key = service.take();
                for (WatchEvent<?> event : key.pollEvents())
                    System.out.println(event.kind() + "\t" + directory.resolve(String.valueOf(event.context())));
                key.reset();
            }
        } catch (ClosedWatchServiceException e) {
            System.out.println("STOPPED");
        }
    }
}
