// The services behind these tests come from Debian packages.
[assembly: System.Runtime.Versioning.SupportedOSPlatform("linux")]
