ALTER TABLE [sales].[odd ]]name] ADD CONSTRAINT [pk ]]orders] PRIMARY KEY CLUSTERED ([id], [day]) ON [ps]]x]([day]);
