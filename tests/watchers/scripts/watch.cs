using System;
using System.IO;

/// FileSystemWatcher, with all that is below, on the directory given. One line per event: KIND<TAB>PATH.
class Watch
{
    static void Main(string[] args)
    {
        using (var watcher = new FileSystemWatcher(args[0]))
        {
            watcher.IncludeSubdirectories = true;
            watcher.NotifyFilter = NotifyFilters.FileName | NotifyFilters.DirectoryName
                | NotifyFilters.LastWrite | NotifyFilters.Attributes | NotifyFilters.LastAccess;
            FileSystemEventHandler say = (_, e) => Console.WriteLine($"{e.ChangeType}\t{e.FullPath}");
            watcher.Changed += say;
            watcher.Created += say;
            watcher.Deleted += say;
            watcher.Renamed += (_, e) => Console.WriteLine($"{e.ChangeType}\t{e.FullPath}");
            watcher.Error += (_, e) => Console.WriteLine($"ERROR {e.GetException()}");
            watcher.EnableRaisingEvents = true;
            Console.WriteLine("READY");
            // Ends when its standard input is closed.
            Console.In.ReadToEnd();
        }
        Console.WriteLine("STOPPED");
    }
}
