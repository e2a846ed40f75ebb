"""What the programs of a Mac print, in the forms that Macs print; written for these tests.

A table gives, by program and arguments, what is printed. Several Macs differ by a few lines of it.
"""

from __future__ import annotations

from collections.abc import Mapping

SUPPLY = ("pmset", "-g", "batt")
SETTINGS = ("pmset", "-g")
SLEEP_LOG = ("pmset", "-g", "log")
PROCESSES = ("ps", "-Axo", "pcpu=,comm=")
DISPLAYS = ("system_profiler", "SPDisplaysDataType", "-json")
CHIP = ("sysctl", "-n", "machdep.cpu.brand_string")
MODEL = ("sysctl", "-n", "hw.model")
TRANSLATED = ("sysctl", "-n", "sysctl.proc_translated")
HEAT = ("notifyutil", "-g", "com.apple.system.thermalpressurelevel")
SPOTLIGHT = ("mdutil", "-s", "/System/Volumes/Data")
BACKUP = ("tmutil", "status")
LID = ("ioreg", "-r", "-d", "1", "-k", "AppleClamshellState")
BACKLIGHT = ("ioreg", "-a", "-r", "-d", "1", "-c", "AppleARMBacklight")
VERSION, BUILD = ("sw_vers", "-productVersion"), ("sw_vers", "-buildVersion")

Said = Mapping[tuple[str, ...], str | bytes]

SUPPORT = "/System/Library/Frameworks/CoreServices.framework/Frameworks/Metadata.framework/Support"
RESTING = f"  0.0 /sbin/launchd\n  1.2 {SUPPORT}/mds\n 12.5 /Applications/An App.app/Contents/MacOS/An App\n"
MACBOOK: Said = {
    CHIP: "Apple M3 Pro\n",
    MODEL: "Mac15,6\n",
    VERSION: "15.6\n",
    BUILD: "24G84\n",
    TRANSLATED: "0\n",
    DISPLAYS: '{"SPDisplaysDataType": [{"_name": "kHW_AppleM3ProItem", "sppci_cores": "14"},'
    ' {"_name": "kHW_AppleM3ProItem", "spdisplays_ndrvs": []}]}',
    SETTINGS: "System-wide power settings:\nCurrently in use:\n standby              1\n"
    " Sleep On Power Button 1\n lowpowermode         0\n displaysleep         10\n"
    " sleep                1 (sleep prevented by powerd)\n",
    SUPPLY: "Now drawing from 'AC Power'\n"
    " -InternalBattery-0 (id=1)\t80%; AC attached; not charging present: true\n",
    SLEEP_LOG: "Time stamp                Domain          \tMessage        \tDuration  \tDelay\n"
    "2026-01-02 03:04:05 +0100 Assertions          \tPID 77(sharingd) Created x\n"
    "2026-01-02 03:05:00 +0100 Sleep               \tEntering Sleep state due to 'Clamshell Sleep'\n"
    "2026-01-02 03:06:00 +0100 Wake                \tWake from Deep Idle due to Ana's keyboard\n",
    PROCESSES: RESTING,
    HEAT: "com.apple.system.thermalpressurelevel 0\n",
    SPOTLIGHT: "/System/Volumes/Data:\n\tIndexing enabled. \n",
    BACKUP: 'Backup session status:\n{\n    ClientID = "com.apple.backupd";\n    Percent = "-1";\n'
    "    Running = 0;\n}\n",
    LID: '+-o Root  <class IOPMrootDomain>\n    {\n      "AppleClamshellState" = No\n    }\n',
    BACKLIGHT: '<?xml version="1.0" encoding="UTF-8"?>\n<plist version="1.0"><array><dict>'
    "<key>IODisplayParameters</key><dict><key>brightness</key><dict><key>min</key><integer>0</integer>"
    "<key>max</key><integer>65536</integer><key>value</key><integer>32768</integer></dict></dict>"
    "</dict></array></plist>\n",
}

STUDIO: Said = MACBOOK | {
    CHIP: "Apple M4 Max\n",
    MODEL: "Mac16,9\n",
    VERSION: "26.2\n",
    BUILD: "25C56\n",
    DISPLAYS: '{"SPDisplaysDataType": []}',
    SETTINGS: "Currently in use:\n powermode      2\n displaysleep         0\n sleep                0\n",
    SUPPLY: "Now drawing from 'AC Power'\n",
    LID: "",
    BACKLIGHT: "",
}
"""No display, no battery; a Mac with a High Power mode."""

MACOS_27: Said = MACBOOK | {VERSION: "27.0\n", BUILD: "26A5279m\n"}

VIRTUAL: Said = STUDIO | {
    CHIP: "Apple M1 (Virtual)\n",
    MODEL: "VirtualMac2,1\n",
    DISPLAYS: '{"SPDisplaysDataType": [{"_name": "Apple Paravirtual device"}]}',
    SETTINGS: "Currently in use:\n sleep                0\n",
}

ROSETTA: Said = MACBOOK | {CHIP: "VirtualApple @ 2.50GHz processor\n", TRANSLATED: "1\n"}

BUSY: Said = MACBOOK | {
    SETTINGS: "Currently in use:\n powermode      1\n lowpowermode         1\n displaysleep         2\n",
    SUPPLY: "Now drawing from 'Battery Power'\n"
    " -InternalBattery-0 (id=1)\t41%; discharging; 2:11 remaining present: true\n",
    PROCESSES: f" 98,4 {SUPPORT}/mds_stores\n  9,0 {SUPPORT}/corespotlightd\n".encode()
    + b" 33,0 /usr/libexec/mediaanalysisd\n 61,0 /Library/Apple/XProtect.app/Contents/MacOS/"
    b"XProtectRemediatorSheepSwap\n  1,0 /Applications/Caf\xc3\n",
    HEAT: "com.apple.system.thermalpressurelevel 2\n",
    SPOTLIGHT: "/System/Volumes/Data:\n\tScan in progress.\n",
    BACKUP: "Backup session status:\n{\n    BackupPhase = Copying;\n    Running = 1;\n}\n",
    LID: '    "AppleClamshellState" = Yes\n',
}
"""On battery and slow, hot, indexing, backing up, lid closed; decimal commas, a name cut in a letter."""

SILENT: Said = {SPOTLIGHT: "Error: unknown indexing state.\n", SUPPLY: "Now drawing from 'UPS Power'\n"}
"""Nearly every program is missing."""
